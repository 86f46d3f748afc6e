//! Which configs a component is tried with, and the laws about configs.

use std::sync::Arc;

use proptest::strategy::Strategy;
use serde_json::{Value, json};
use wavegate_plugin_host::HostError;
use wavegate_plugin_protocol::{
    ComponentDescription, ComponentKind, Diagnostic, Observation, Severity,
};

use crate::bench::{Bench, is_breakdown};
use crate::report::{Breach, Report, Unheld, Verdict};
use crate::schema;
use crate::search::Search;

const ACCEPTED: &str = "the configs that it shows, and those that were given, are accepted";
const UNKNOWN_KEY: &str = "a key that it does not know is rejected by its name";
const MISSING_KEY: &str = "a key that must be there is missed by its name";
const ANY_CONFIG: &str = "no config breaks it";

/// Why the laws of a component are not tried that did not answer in one of them.
const SILENT: &str = "not tried: it does not answer";

/// Why most laws of a component cannot be tried.
pub(crate) const NO_CONFIG: &str = "no config is known that it accepts";

/// A key that nobody uses.
const STRANGER: &str = "wavegate_unknown_key";

/// How many configs are made up, and how many of those that are accepted are kept.
const MADE_UP: usize = 96;
const KEPT: usize = 12;

/// The configs of one component that are known to work.
#[derive(Debug, Default)]
pub(crate) struct Configs {
    /// Written by a person: given, or the schema's examples.
    pub(crate) written: Vec<Value>,
    /// Made up from the schema.
    pub(crate) made_up: Vec<Value>,
}

/// A component under test.
#[derive(Debug, Clone)]
pub(crate) struct Under {
    pub(crate) bench: Arc<Bench>,
    pub(crate) component: Arc<ComponentDescription>,
    pub(crate) search: Search,
}

impl Under {
    /// How the component is called in a report.
    pub(crate) fn title(&self) -> String {
        format!("{} {}", self.component.kind.as_str(), self.component.id)
    }

    /// How a law's cases are told apart from those of another component.
    pub(crate) fn cases_of(&self, law: &str) -> String {
        format!("{}: {law}", self.title())
    }

    /// Tries a law. If a call is not answered, it is broken by that, whatever it is about; those that
    /// come later are not tried, because each would wait as long.
    pub(crate) async fn holds(&self, trying: impl Future<Output = Verdict>) -> Verdict {
        if self.bench.silence().is_some() {
            return Err(Unheld::skipped(SILENT));
        }
        let verdict = trying.await;
        match (self.bench.silence(), verdict) {
            (Some(error), Ok(_) | Err(Unheld::Skipped(_))) => {
                Err(Unheld::broken(error.to_string()))
            }
            (_, verdict) => verdict,
        }
    }

    /// Tries `test` on random cases of a law. One that is not answered is told as it is.
    pub(crate) async fn random<S, M, F, Fut>(&self, law: &str, make: M, test: F) -> Verdict
    where
        S: Strategy,
        M: FnOnce() -> S + Send + 'static,
        F: Fn(S::Value) -> Fut + Send + 'static,
        Fut: Future<Output = Result<(), Breach>>,
    {
        let bench = Arc::clone(&self.bench);
        let is_over = move || bench.silence().is_some();
        self.search.run(&self.cases_of(law), make, test, is_over).await
    }

    /// The errors in a config; or how the component broke.
    async fn errors(&self, config: &Value) -> Result<Vec<Diagnostic>, Breach> {
        let found = errors(&self.bench, &self.component, config).await;
        found.map_err(|error| Breach::new(error.to_string()).with_config(config))
    }

    async fn accepts(&self, config: &Value) -> bool {
        self.errors(config).await.is_ok_and(|errors| errors.is_empty())
    }
}

/// The errors in a config of a component.
pub(crate) async fn errors(
    bench: &Bench,
    component: &ComponentDescription,
    config: &Value,
) -> Result<Vec<Diagnostic>, HostError> {
    let found = bench.validate(component.kind, &component.id, config).await?;
    Ok(found.into_iter().filter(|found| found.severity == Severity::Error).collect())
}

/// Finds configs, and tries the laws about them.
pub(crate) async fn laws(under: &Under, given: Vec<Value>, report: &mut Report) -> Configs {
    let written = if given.is_empty() { shown(&under.component.config_schema) } else { given };
    let title = under.title();
    let (written, verdict) = accepted(under, written).await;
    report.add(ACCEPTED, Some(&title), verdict);
    let verdict = under.holds(unknown_key(under, &written)).await;
    report.add(UNKNOWN_KEY, Some(&title), verdict);
    let verdict = under.holds(missing_key(under, &written)).await;
    report.add(MISSING_KEY, Some(&title), verdict);
    let mut made_up = Vec::new();
    let verdict = under.holds(async {
        let verdict = any_config(under).await;
        made_up = make_up(under).await;
        verdict
    });
    report.add(ANY_CONFIG, Some(&title), verdict.await);
    Configs { written, made_up }
}

/// What the schema shows. If it shows nothing and asks for nothing, nothing is a config.
fn shown(schema: &Value) -> Vec<Value> {
    match schema.get("examples").and_then(Value::as_array) {
        Some(examples) if !examples.is_empty() => examples.clone(),
        _ if schema::required(schema).is_empty() => vec![json!({})],
        _ => Vec::new(),
    }
}

/// Those that are accepted, and whether all are.
async fn accepted(under: &Under, written: Vec<Value>) -> (Vec<Value>, Verdict) {
    const NONE: &str =
        "no config is known that it accepts: give one, or put `examples` into its schema";
    let mut good = Vec::new();
    let mut verdict = Ok(written.len() as u64);
    for config in written {
        match under.errors(&config).await {
            Ok(errors) if errors.is_empty() => good.push(config),
            Ok(errors) => {
                let words = Breach::new(format!("it is rejected: {}", told(&errors)));
                verdict = verdict.and(Err(words.with_config(&config).into()));
            }
            Err(breach) => verdict = verdict.and(Err(breach.into())),
        }
    }
    // A strategy is nothing but what it decides; without a config that is never seen.
    if verdict.is_ok() && good.is_empty() {
        verdict = match under.component.kind {
            ComponentKind::Strategy => Err(Unheld::broken(NONE)),
            ComponentKind::Hook | ComponentKind::Alarm => Err(Unheld::skipped(NONE)),
        };
    }
    (good, verdict)
}

async fn unknown_key(under: &Under, configs: &[Value]) -> Verdict {
    let mut cases = 0;
    for config in configs.iter().filter(|config| config.is_object()) {
        let mut config = config.clone();
        config[STRANGER] = json!(1);
        rejected_by_name(under, &config, STRANGER).await?;
        cases += 1;
    }
    some(cases, NO_CONFIG)
}

async fn missing_key(under: &Under, configs: &[Value]) -> Verdict {
    let mut cases = 0;
    for key in schema::required(&under.component.config_schema) {
        for config in configs.iter().filter_map(Value::as_object) {
            let mut config = config.clone();
            if config.remove(key).is_some() {
                rejected_by_name(under, &Value::Object(config), key).await?;
                cases += 1;
            }
        }
    }
    some(cases, if configs.is_empty() { NO_CONFIG } else { "no key must be there" })
}

/// So many cases, or the reason why there were none.
pub(crate) fn some(cases: u64, otherwise: &str) -> Verdict {
    if cases > 0 { Ok(cases) } else { Err(Unheld::skipped(otherwise)) }
}

async fn rejected_by_name(under: &Under, config: &Value, key: &str) -> Result<(), Breach> {
    let errors = under.errors(config).await?;
    if errors.iter().any(|error| error.path.contains(key) || error.message.contains(key)) {
        return Ok(());
    }
    let words = if errors.is_empty() {
        format!("nothing is said about `{key}`")
    } else {
        format!("`{key}` is not named: {}", told(&errors))
    };
    Err(Breach::new(words).with_config(config))
}

/// Errors in a config, in words.
pub(crate) fn told(errors: &[Diagnostic]) -> String {
    let errors: Vec<String> = errors
        .iter()
        .map(|Diagnostic { path, message, .. }| format!("`{path}`: {message}"))
        .collect();
    errors.join("; ")
}

/// Whatever is written, there is an answer; also from a strategy that is asked all the same.
async fn any_config(under: &Under) -> Verdict {
    let (component, tried) = (Arc::clone(&under.component), under.clone());
    let make = move || schema::anything(&component.config_schema);
    under.random(ANY_CONFIG, make, move |config| stands(tried.clone(), config)).await
}

async fn stands(under: Under, config: Value) -> Result<(), Breach> {
    under.errors(&config).await?;
    if under.component.kind != ComponentKind::Strategy {
        return Ok(());
    }
    let id = &under.component.id;
    let outline = under.bench.outline(id, &config).await.err();
    let decision = match outline {
        // What it has no outline for, it is never asked about.
        Some(error) => Some(error),
        None => under.bench.decide(id, &config, &Value::Null, Observation::default()).await.err(),
    };
    match decision.filter(is_breakdown) {
        Some(error) => Err(Breach::new(error.to_string()).with_config(&config)),
        None => Ok(()),
    }
}

/// Configs that the schema may have meant and that are accepted.
async fn make_up(under: &Under) -> Vec<Value> {
    let candidates = {
        let strategy = schema::configs(&under.component.config_schema);
        under.search.sample(&under.cases_of("configs"), &strategy, MADE_UP)
    };
    let mut kept: Vec<Value> = Vec::new();
    for config in candidates {
        if kept.len() < KEPT && !kept.contains(&config) && under.accepts(&config).await {
            kept.push(config);
        }
    }
    kept
}
