//! A real control plane on loopback: etcd, kube-apiserver and, where asked for, kube-controller-manager, as processes.
//!
//! Where the programs come from: `KUBEBUILDER_ASSETS`, else `bin` of the cache that `tests/tools/setup.sh` fills. With
//! `PROVOST_TEST_KUBECONFIG` the cluster that it names is used, and nothing is started or stopped.
//!
//! Everything ends with the process that started it, however that one ends: each child has a guard that waits for the
//! end of a pipe.

mod identity;
mod operator;
mod plane;
mod process;
mod tools;

pub use operator::{NAMESPACE, Operator, binary};
pub use plane::{Cluster, Options};
pub use process::Process;
pub(crate) use process::Sweeper;
pub use tools::{Output, cache, eventually, helm, repository};
