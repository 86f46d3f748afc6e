//! No secret is ever written, wherever it comes from and whoever repeats it.

use crate::app::{mini, set_message};

const VARIABLE: &str = "canary-1b7e-variable";
const LITERAL: &str = "canary-1b7e-literal";

#[test]
fn a_secret_that_a_hook_prints_is_neither_kept_nor_shown() {
    // The hook repeats what it finds: the value from the environment and the one in the manifest.
    let hook = format!(
        "[hooks.chatty]\nuse = \"command\"\ncommand = [\"sh\", \"-c\", \"echo got ${{env:TOKEN}} and \
         {LITERAL}; echo again ${{env:TOKEN}} >&2; exit 1\"]\n"
    );
    let mut project = mini(&[("shop", &[])], &hook);
    project.set("TOKEN", VARIABLE);
    let _cloud = project.start_cloud(&[]);
    project.edit(
        "deploy.toml",
        "depends_on = []\n",
        &format!(
            "depends_on = []\nenvironment = {{ TOKEN = \"${{env:TOKEN}}\", PLAIN = \"{LITERAL}\" }}\n"
        ),
    );
    let mut runs = vec![project.run(&["deploy", "--yes"]).expect(0)];
    project.edit("deploy.toml", "depends_on = []\n", "hooks = { pre_traffic = [\"chatty\"] }\n");
    for arguments in [&["deploy", "--yes"][..], &["deploy", "--yes", "--output", "json"]] {
        set_message(&project, "shop", &format!("{}", arguments.len()));
        runs.push(project.run(arguments).expect(1));
    }
    for number in ["2", "3"] {
        runs.push(project.run(&["show", number]).expect(0));
        runs.push(project.run(&["show", number, "--output", "json"]).expect(0));
    }
    runs.push(project.run(&["history", "--output", "json"]).expect(0));
    runs.push(project.run(&["watch"]).expect(0));
    let told = runs.iter().any(|run| run.stdout.contains("got …") || run.stderr.contains("got …"));
    assert!(told, "the hook was not heard: {runs:#?}");
    for run in &runs {
        for secret in [VARIABLE, LITERAL] {
            assert!(!run.stdout.contains(secret) && !run.stderr.contains(secret), "{run}");
        }
    }
    for (path, bytes) in project.kept() {
        // The cloud itself must know them, as Lambda does.
        if path.starts_with(project.path(".wavegate/local")) {
            continue;
        }
        for secret in [VARIABLE, LITERAL] {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{}", path.display());
        }
    }
}
