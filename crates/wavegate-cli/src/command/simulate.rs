//! `simulate`: one strategy on a virtual clock. No cloud is looked at and nothing is changed.

use std::sync::Arc;

use serde_json::Value;
use wavegate_core::simulate::{Next, Scenario, Simulation, Story};
use wavegate_core::spec::{ComponentUse, Opaque};
use wavegate_engine::ports::{Strategies as _, Subject};
use wavegate_plugin_sdk::{ComponentKind, Severity};

use crate::Context;
use crate::adapter::PluginStrategies;
use crate::args::SimulateArgs;
use crate::console;
use crate::error::CliError;
use crate::fault;
use crate::interrupt::Interrupts;
use crate::manifest::{self, Loaded};
use crate::registry::Registry;

/// A scenario that is none.
const BAD_SCENARIO: &str = "WG641";
/// There is no such strategy.
const NO_STRATEGY: &str = "WG642";
/// A config that is not JSON, or that the component refuses.
const BAD_CONFIG: &str = "WG643";
/// The strategy does what no strategy may.
const BROKEN: &str = "WG335";

pub(crate) async fn run(context: &Context, args: &SimulateArgs) -> Result<(), CliError> {
    let mut interrupts = Interrupts::listen()?;
    let scenario = scenario(&args.scenario)?;
    let playing = async {
        let (registry, strategy) = match &args.component_config {
            Some(config) => component(context, &args.strategy, config).await?,
            None => of_manifest(context, &args.strategy).await?,
        };
        let story = play(&registry, &strategy, scenario).await;
        registry.close().await;
        Ok((strategy, story?))
    };
    let (strategy, story) = interrupts.guard(playing).await?;
    let title = title(&strategy);
    if context.console.is_json() {
        console::json(&wavegate_report::simulation_json(&title, &story))?;
    } else {
        let (style, width) = (context.console.out, console::width());
        console::data(&wavegate_report::simulation_text(&title, &story, style, width))?;
    }
    ended(&title, &story)
}

fn scenario(words: &[String]) -> Result<Scenario, CliError> {
    Scenario::parse(words.iter().map(String::as_str)).map_err(|wrong| {
        let wrong: Vec<String> = wrong.iter().map(ToString::to_string).collect();
        CliError::usage(BAD_SCENARIO, wrong.join("; "))
    })
}

/// A strategy as a manifest names it: a table, or a name of AWS's, which needs no manifest.
async fn of_manifest(
    context: &Context,
    name: &str,
) -> Result<(Arc<Registry>, ComponentUse), CliError> {
    let loaded = manifest::load_quietly(context).await;
    let (registry, manifest) = match manifest::if_any(loaded, &context.global)? {
        Some(Loaded { manifest, registry }) => (registry, Some(manifest)),
        None => (Arc::new(super::plugin::linked().await?), None),
    };
    let used = match &manifest {
        Some(manifest) => manifest.strategy(name),
        None => wavegate_config::aws_strategy(name),
    };
    let Some(used) = used else {
        let name = wavegate_report::safe_line(name);
        let message = match manifest {
            Some(_) => format!("the manifest has no strategy `{name}`"),
            None => format!("`{name}` is no name of AWS's, and there is no manifest here"),
        };
        return Err(CliError::usage(NO_STRATEGY, message).hint(
            "name a [strategies.NAME] table or an AWS name such as Canary10Percent5Minutes; with \
             --component-config, a component (`wavegate plugin list`)",
        ));
    };
    let config = manifest::parse(&used.config).map_err(CliError::bug)?;
    accepts(&registry, &used.component, &config).await?;
    Ok((registry, used))
}

/// A component with a config from the command line, with or without a manifest.
async fn component(
    context: &Context,
    id: &str,
    config: &str,
) -> Result<(Arc<Registry>, ComponentUse), CliError> {
    let config: Value = serde_json::from_str(config)
        .map_err(|error| CliError::usage(BAD_CONFIG, format!("the config is not JSON: {error}")))?;
    let (registry, problems) = super::plugin::surroundings(context).await?;
    super::plugin::sound(context, problems)?;
    accepts(&registry, id, &config).await?;
    let used = ComponentUse {
        name: id.to_owned(),
        component: id.to_owned(),
        config: Opaque(config.to_string()),
    };
    Ok((Arc::new(registry), used))
}

/// Whether there is such a strategy, and it takes the config: a table that no function uses has not
/// been judged.
async fn accepts(registry: &Registry, id: &str, config: &Value) -> Result<(), CliError> {
    let Some(plugin) = registry.find(ComponentKind::Strategy, id) else {
        let known = registry.ids().strategies.join(", ");
        let message = format!("there is no strategy `{}`", wavegate_report::safe_line(id));
        return Err(CliError::usage(NO_STRATEGY, message).hint(format!("there are: {known}")));
    };
    let found = plugin
        .validate(ComponentKind::Strategy, id, config)
        .await
        .map_err(|error| super::plugin::refused(&error))?;
    for finding in found.iter().filter(|finding| finding.severity == Severity::Warning) {
        console::note(&format!("strategy `{id}`: {}", super::plugin::about(finding)));
    }
    if found.iter().all(|finding| finding.severity != Severity::Error) {
        return Ok(());
    }
    let refused = CliError::usage(BAD_CONFIG, format!("strategy `{id}` refuses the config"));
    Err(super::plugin::blamed(refused, &found))
}

async fn play(
    registry: &Arc<Registry>,
    strategy: &ComponentUse,
    scenario: Scenario,
) -> Result<Story, CliError> {
    let strategies = PluginStrategies::new(Arc::clone(registry));
    let subject = Subject {
        app: "simulation".to_owned(),
        function: "function".to_owned(),
        alias: "live".to_owned(),
    };
    let outline = strategies.outline(strategy, &subject).await.map_err(|reason| {
        let code = fault::advice(&reason).map_or(fault::STRATEGY, |(code, _)| code);
        let words = format!("strategy {}: {reason}", title(strategy));
        CliError::usage(code, fault::without_code(&words, code))
    })?;
    let mut simulation = Simulation::new(outline, scenario);
    loop {
        match simulation.next() {
            Next::Ended(story) => return Ok(story),
            Next::Ask { seen, state } => {
                match strategies.decide(strategy, state.as_ref(), &seen).await {
                    Ok((decision, state)) => simulation.answer(decision, state),
                    Err(reason) => simulation.fail(reason),
                }
            }
        }
    }
}

fn title(strategy: &ComponentUse) -> String {
    if strategy.name == strategy.component {
        return strategy.name.clone();
    }
    format!("{} ({})", strategy.name, strategy.component)
}

/// A strategy that goes back under an alarm does its work; one that breaks its promise does not.
fn ended(title: &str, story: &Story) -> Result<(), CliError> {
    use wavegate_core::simulate::End;

    let (code, words) = match &story.end {
        End::Promoted | End::RolledBack { .. } | End::Paused { .. } => return Ok(()),
        End::BrokeOutline(breach) => (BROKEN, format!("decided outside its outline: {breach}")),
        End::Endless => (BROKEN, "never comes to an end".to_owned()),
        End::Failed { reason } => {
            (fault::advice(reason).map_or(fault::STRATEGY, |(code, _)| code), reason.clone())
        }
    };
    Err(CliError::usage(code, fault::without_code(&format!("strategy {title}: {words}"), code)))
}
