//! A control plane for demos and for trying things: prints its kubeconfig's path, and stays until its standard input
//! ends or it is killed. `--controllers` adds kube-controller-manager, `--crds` installs the resources.

use std::io::{Read as _, Write as _};

use tests::cluster::{Cluster, Options};

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let asked = |name: &str| arguments.iter().any(|argument| argument == name);
    let cluster = Cluster::start(Options { controllers: asked("--controllers") });
    if asked("--crds") {
        cluster.install_crds();
    }
    writeln!(std::io::stdout(), "{}", cluster.kubeconfig().display())?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
