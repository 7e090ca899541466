//! What the documentation shows.

/// The `$ provost ...` lines of a document, and the lines of output below each.
pub fn shown(text: &str) -> Vec<(String, Vec<String>)> {
    let mut commands: Vec<(String, Vec<String>)> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        if line.starts_with("```") {
            inside = !inside && line == "```console";
        } else if let Some(command) = line.strip_prefix("$ ").filter(|_| inside) {
            let command = command.split("    #").next().unwrap().split("  #").next().unwrap().trim();
            commands.push((command.to_owned(), Vec::new()));
        } else if inside && let Some((_, output)) = commands.last_mut() {
            output.push(line.to_owned());
        }
    }
    commands.retain(|(command, _)| command.starts_with("provost ") && !command.contains('|'));
    commands
}
