//! Small apps to deploy: Python functions of three lines.

use std::fmt::Write as _;

use serde_json::Value;
use wavegate_tests::binary::Project;

/// The text of a function that answers with a message and its version.
pub(crate) fn code(message: &str) -> String {
    format!(
        "MESSAGE = \"{message}\"\n\n\ndef handler(event, context):\n    return {{\"message\": MESSAGE, \
         \"version\": context.function_version}}\n"
    )
}

/// An app `mini` on the local cloud. `functions` are names and what they depend on; `rest` is more
/// TOML. A minute passes in a second, no traffic is sent and no alarm is watched, so that nothing
/// moves but what the test moves.
pub(crate) fn mini(functions: &[(&str, &[&str])], rest: &str) -> Project {
    let project = Project::new();
    manifest(&project, functions, rest);
    for (name, _) in functions {
        set_message(&project, name, "one");
    }
    project
}

/// Writes the manifest of [`mini`].
pub(crate) fn manifest(project: &Project, functions: &[(&str, &[&str])], rest: &str) {
    let mut text = "[app]\nname = \"mini\"\ntarget = \"local\"\n\n[defaults]\nruntime = \
                    \"python3.13\"\nhandler = \"app.handler\"\nstrategy = \"AllAtOnce\"\n\n[local]\n\
                    time_scale = 60\n"
        .to_owned();
    for (name, needs) in functions {
        let needs = Value::from(needs.to_vec());
        let _ = writeln!(
            text,
            "\n[functions.{name}]\ncode = \"functions/{name}\"\ndepends_on = {needs}"
        );
    }
    project.write("deploy.toml", &format!("{text}\n{rest}"));
}

/// Changes the code of a function.
pub(crate) fn set_message(project: &Project, function: &str, message: &str) {
    project.write(&format!("functions/{function}/app.py"), &code(message));
}

/// A canary that lasts far longer than any test: its middle can be looked at in peace.
pub(crate) const LONG: &str = "Canary25Percent1000Minutes";

/// Sets the strategy of every function.
pub(crate) fn set_strategy(project: &Project, strategy: &str) {
    let text = project.read("deploy.toml");
    let lines = text.lines().map(|line| match line.strip_prefix("strategy = ") {
        Some(_) => format!("strategy = \"{strategy}\""),
        None => line.to_owned(),
    });
    let lines: Vec<String> = lines.collect();
    project.write("deploy.toml", &(lines.join("\n") + "\n"));
}
