//! `check`: the manifest and the components' configs, without a look at any cloud.

use serde_json::json;

use crate::Context;
use crate::console;
use crate::error::CliError;
use crate::interrupt::Interrupts;
use crate::manifest;

pub(crate) async fn run(context: &Context) -> Result<(), CliError> {
    let console = context.console;
    let mut interrupts = Interrupts::listen()?;
    let loading = manifest::load(&context.global, &context.environment, console);
    let loaded = interrupts.guard(loading).await;
    if let Ok(loaded) = &loaded {
        loaded.registry.close().await;
    }
    let loaded = loaded.map(|loaded| loaded.manifest);
    if console.is_json() {
        let (warnings, errors) = match &loaded {
            Ok(manifest) => (manifest.warnings.as_slice(), None),
            Err(error) => (&[][..], error.problems.as_ref()),
        };
        let all = warnings.iter().chain(errors.into_iter().flatten());
        let problems: Vec<_> = all.map(console::problem_json).collect();
        console::json(&json!({ "v": 1, "ok": loaded.is_ok(), "problems": problems }))?;
    }
    let manifest = loaded?;
    let app = &manifest.app;
    if !console.is_json() {
        let count = app.functions.len();
        let functions = if count == 1 { "function" } else { "functions" };
        console::data(&format!(
            "{} is sound: app `{}`, {count} {functions}, target {}\n",
            manifest.path.display(),
            app.name,
            manifest.target
        ))?;
    }
    Ok(())
}
