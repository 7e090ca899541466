//! `make demo`, `make demo-ldap`, `make demo-keycloak`: a story told by what the targets themselves say after each act.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::panic,
    reason = "whatever fails here ends the demo, and says where"
)]

mod acts;
mod directory;
mod realm;
mod scim;
mod script;
mod server;
mod stage;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let asked = |word: &str| arguments.iter().any(|argument| argument == word);
    // A failed act says what is wrong in words, not in a stack.
    std::panic::set_hook(Box::new(|info| {
        let text = info.payload_as_str().unwrap_or("something that has no text");
        println!("\nThe demo stops here: {text}");
    }));
    let script = if asked("ldap") {
        script::LDAP
    } else if asked("keycloak") {
        script::KEYCLOAK
    } else {
        script::SCIM
    };
    let mut stage = stage::Stage::build(script);
    acts::example(&stage);
    acts::joiner(&stage);
    acts::mover(&stage);
    acts::email(&stage);
    acts::drift(&stage);
    acts::mistake(&mut stage);
    acts::leaver(&stage);
    acts::rehire(&stage);
    acts::crash(&mut stage);
    acts::deletion(&stage);
    acts::end(&stage);
    acts::audit(&stage);
    if asked("--keep") {
        acts::keep(&stage);
    }
}
