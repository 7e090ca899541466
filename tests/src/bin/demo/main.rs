//! `make demo`: a story told by what the targets themselves say after each act.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::panic,
    reason = "whatever fails here ends the demo, and says where"
)]

mod acts;
mod scim;
mod stage;

fn main() {
    let keep = std::env::args().any(|argument| argument == "--keep");
    // A failed act says what is wrong in words, not in a stack.
    std::panic::set_hook(Box::new(|info| {
        let text = info.payload_as_str().unwrap_or("something that has no text");
        println!("\nThe demo stops here: {text}");
    }));
    let mut stage = stage::Stage::build();
    acts::quickstart(&stage);
    acts::joiner(&stage);
    acts::mover(&stage);
    acts::email(&stage);
    acts::drift(&stage);
    acts::mistake(&mut stage);
    acts::leaver(&stage);
    acts::crash(&mut stage);
    acts::end(&stage);
    acts::audit(&stage);
    if keep {
        acts::keep(&stage);
    }
}
