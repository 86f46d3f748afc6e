//! `status`: what every alias serves and who holds the lock, as the cloud says now.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};
use wavegate_config::Manifest;
use wavegate_core::inventory::{AliasState, Inventory};
use wavegate_core::name::FunctionName;
use wavegate_core::plan::find_lock;
use wavegate_core::spec::FunctionSpec;
use wavegate_core::token::{LockPhase, LockRecord, Position, Token};
use wavegate_engine::InHand;
use wavegate_report::safe_line;

use crate::Context;
use crate::console;
use crate::error::CliError;
use crate::interrupt::Interrupts;
use crate::target::Stage;
use crate::{fault, manifest};

/// The format version of the JSON answer.
const FORMAT: u32 = 1;

pub(crate) async fn run(context: &Context) -> Result<(), CliError> {
    let mut interrupts = Interrupts::listen()?;
    let manifest = manifest::load_alone(&context.global, &context.environment, context.console)?;
    let stage = interrupts.guard(Stage::open_bare(&manifest, &context.environment)).await?;
    let seen = interrupts.guard(stage.observe(&manifest.app)).await;
    let target = seen.as_ref().map(|inventory| stage.words(inventory)).unwrap_or_default();
    let in_hand = match &seen {
        Ok(inventory) => in_hand(context, &manifest, &stage, inventory).await,
        Err(_) => BTreeMap::new(),
    };
    stage.close().await;
    let status = Status::of(&manifest, &seen?, target, &in_hand);
    if context.console.is_json() {
        return console::json(&status.json());
    }
    console::data(&status.text())
}

/// What CodeDeploy has in hand. That it cannot be asked is told, and is no reason to tell nothing.
async fn in_hand(
    context: &Context,
    manifest: &Manifest,
    stage: &Stage,
    inventory: &Inventory,
) -> BTreeMap<FunctionName, InHand> {
    match stage.engine.in_hand(&manifest.app, inventory).await {
        Ok(in_hand) => in_hand,
        Err(error) => {
            let what = "CodeDeploy could not be asked what it has in hand";
            context.console.warning(&fault::cloud(what, &error, &stage.endpoint));
            BTreeMap::new()
        }
    }
}

/// What is told.
struct Status {
    app: String,
    alias: String,
    target: String,
    taken_at_ms: u64,
    lock: Option<(String, LockRecord)>,
    functions: Vec<Function>,
}

struct Function {
    key: String,
    lambda_name: String,
    exists: bool,
    live: Option<AliasState>,
    pin: Option<String>,
    token: Option<Token>,
    /// What CodeDeploy does with it.
    deployment: Option<InHand>,
    /// Traffic is split, and no release that is under way did it.
    is_orphan: bool,
}

impl Status {
    fn of(
        manifest: &Manifest,
        inventory: &Inventory,
        target: String,
        in_hand: &BTreeMap<FunctionName, InHand>,
    ) -> Self {
        let app = &manifest.app;
        let lock =
            find_lock(app, inventory).map(|(anchor, _, record)| (anchor.to_string(), record));
        let under_way = lock.as_ref().filter(|(_, record)| !record.phase.is_over());
        let function = |spec: &FunctionSpec| {
            let observed = inventory.functions.get(&spec.name);
            let live = observed.and_then(|observed| observed.alias(&app.alias)).cloned();
            let token = live.as_ref().and_then(|live| Token::decode(&live.description));
            let is_owned = under_way.is_some_and(|(_, record)| {
                token.as_ref().is_some_and(|token| token.release == record.release)
            });
            Function {
                key: spec.name.to_string(),
                lambda_name: spec.lambda_name.to_string(),
                exists: observed.is_some(),
                pin: observed
                    .and_then(|observed| observed.alias(&app.alias.pin()))
                    .map(|pin| pin.version.clone()),
                is_orphan: !is_owned && live.as_ref().is_some_and(|live| live.extra.is_some()),
                deployment: in_hand.get(&spec.name).cloned(),
                live,
                token,
            }
        };
        Self {
            app: app.name.to_string(),
            alias: app.alias.to_string(),
            target,
            taken_at_ms: inventory.taken_at_ms,
            functions: app.functions.values().map(function).collect(),
            lock,
        }
    }

    fn json(&self) -> Value {
        json!({
            "v": FORMAT,
            "app": self.app,
            "alias": self.alias,
            "target": self.target,
            "taken_at_ms": self.taken_at_ms,
            "lock": self.lock.as_ref().map(|(anchor, record)| json!({
                "anchor": anchor,
                "phase": phase(record.phase),
                "is_over": record.phase.is_over(),
                "release": record.release.to_string(),
                "number": record.number,
                "owner": record.owner,
                "epoch": record.epoch,
                "heartbeat": record.heartbeat,
                "claimed": record.claimed,
                "functions": record.functions,
                "is_paused": record.is_paused,
                "request": record.request.as_ref().map(|request| json!({
                    "verb": request.verb.word(), "by": request.by, "reason": request.reason,
                })),
            })),
            "functions": self.functions.iter().map(Self::function_json).collect::<Vec<_>>(),
        })
    }

    fn function_json(function: &Function) -> Value {
        json!({
            "name": function.key,
            "lambda_name": function.lambda_name,
            "exists": function.exists,
            "version": function.live.as_ref().map(|live| &live.version),
            "extra": function.live.as_ref().and_then(|live| live.extra).map(|extra| json!({
                "version": extra.version.0, "weight_bp": extra.weight.bp(),
            })),
            "previous": function.pin,
            "release": function.token.as_ref().map(|token| token.release.to_string()),
            "deployment": function.deployment.as_ref().map(|deployment| json!({
                "id": deployment.id, "status": deployment.status, "step": deployment.step,
            })),
            "split_without_owner": function.is_orphan,
            "mend": Self::mend(function),
        })
    }

    fn text(&self) -> String {
        let mut text = format!("{} on {}, alias `{}`\n", self.app, self.target, self.alias);
        let _ = writeln!(text, "lock: {}", self.lock_words());
        let column = self.functions.iter().map(|f| f.key.len()).max().unwrap_or(0).max(8);
        let _ = writeln!(text, "\n{:column$}  SERVES", "FUNCTION");
        for function in &self.functions {
            let _ = writeln!(text, "{:column$}  {}", function.key, self.serves(function));
        }
        let mends: Vec<String> = self.functions.iter().filter_map(Self::mend).collect();
        for mend in &mends {
            let _ = writeln!(text, "\nhint: {mend}");
        }
        let runs = |(_, record): &(String, LockRecord)| {
            !record.phase.is_over() && !record.phase.is_ownerless()
        };
        if self.lock.as_ref().is_some_and(runs) {
            let _ = writeln!(
                text,
                "\nhint: `wavegate watch` follows it; if its machine is gone, `wavegate recover` finishes it"
            );
        }
        text
    }

    fn lock_words(&self) -> String {
        let Some((anchor, record)) = &self.lock else {
            return "none yet: nothing was deployed".to_owned();
        };
        let mut words = format!(
            "release r{} {} (owner {}, epoch {}, heartbeat {}, on `{anchor}`)",
            record.number,
            match record.phase {
                LockPhase::Running => "is running",
                LockPhase::Aborting => "is going back",
                LockPhase::Stuck => "could not be put back whole: `wavegate recover` tries again",
                LockPhase::Held if self.is_codedeploys() => {
                    "was left to CodeDeploy: `wavegate deploy` goes on with it, `wavegate abort` puts it back"
                }
                LockPhase::Held => "stopped in the middle: `wavegate recover` puts it back",
                LockPhase::Done => "is done",
                LockPhase::RolledBack => "was put back",
            },
            safe_line(&record.owner),
            record.epoch,
            record.heartbeat,
        );
        if record.is_paused {
            words.push_str(", paused");
        }
        if let Some(request) = &record.request {
            let by = safe_line(&request.by);
            let _ = write!(words, "; {by} asks it to {} and has no answer yet", request.verb);
        }
        words
    }

    /// Whether CodeDeploy has some of it in hand.
    fn is_codedeploys(&self) -> bool {
        let is_delegated = |token: &Token| token.position == Position::Delegated;
        self.functions.iter().any(|function| function.token.as_ref().is_some_and(is_delegated))
    }

    fn serves(&self, function: &Function) -> String {
        let Some(live) = &function.live else {
            if function.exists {
                return format!("no alias `{}` yet", self.alias);
            }
            return "not deployed".to_owned();
        };
        let mut words = format!("v{}", live.version);
        if let Some(extra) = live.extra {
            let _ = write!(words, ", and {} of traffic on v{}", extra.weight, extra.version);
        }
        if let Some(pin) = function.pin.as_ref().filter(|pin| **pin != live.version) {
            let _ = write!(words, "  (before: v{pin})");
        }
        if function.is_orphan {
            words.push_str("  split without an owner");
        }
        if let Some(deployment) = &function.deployment {
            let InHand { id, status, step } = deployment;
            let _ = write!(words, "  CodeDeploy: {} is {}", safe_line(id), safe_line(status));
            if let Some(step) = step {
                let _ = write!(words, " ({})", safe_line(step));
            }
        }
        words
    }

    /// How to mend a split that no release owns.
    fn mend(function: &Function) -> Option<String> {
        let live = function.live.as_ref().filter(|_| function.is_orphan)?;
        let extra = live.extra?;
        Some(format!(
            "`{}` is split, and nobody owns that: `wavegate doctor --heal` sends all traffic to v{}, \
             with `--to candidate` to v{}",
            function.key, live.version, extra.version,
        ))
    }
}

fn phase(phase: LockPhase) -> &'static str {
    match phase {
        LockPhase::Running => "running",
        LockPhase::Aborting => "aborting",
        LockPhase::Held => "held",
        LockPhase::Stuck => "stuck",
        LockPhase::Done => "done",
        LockPhase::RolledBack => "rolled_back",
    }
}
