//! From one message to one reply: which component is asked what.
//!
//! What does no I/O is answered at once; a hook and an alarm provider answer with a future. Nothing
//! here knows how the message came.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use wavegate_plugin_protocol::{
    ComponentDescription, ComponentKind, DecideParams, Decided, DescribeParams, Description,
    HookVerdict, OutlineParams, PanicStrategy, ProtocolRange, ReadAlarmsParams, Readings, Request,
    RunHookParams, ValidateParams, Validation,
};

use crate::{BoxFuture, CallContext, CancellationToken, Component, PluginDecl, PluginError};

/// The answer's `ok`, as JSON.
type Answered = Result<Value, PluginError>;

/// How a call is answered.
pub(crate) enum Call {
    /// At once.
    Now(Answered),
    /// When the future has ended. `cancel` ends it early.
    Later {
        /// The answer.
        answer: BoxFuture<'static, Answered>,
        /// Ends it.
        cancel: CancellationToken,
    },
}

/// Answers `message`, or begins to.
pub(crate) fn call(plugin: &'static PluginDecl, call_id: u64, message: &[u8]) -> Call {
    match begin(plugin, call_id, message) {
        Ok(call) => call,
        Err(error) => Call::Now(Err(error)),
    }
}

fn begin(plugin: &'static PluginDecl, call_id: u64, message: &[u8]) -> Result<Call, PluginError> {
    let request: Request<Value, String> = serde_json::from_slice(message).map_err(|error| {
        PluginError::new(PluginError::MESSAGE_INVALID, format!("the message is no call: {error}"))
    })?;
    if request.id != call_id {
        let words = format!("call {call_id} brought a message with the id {}", request.id);
        return Err(PluginError::new(PluginError::MESSAGE_INVALID, words));
    }
    let spoken = ProtocolRange::SUPPORTED;
    // The first call is made before anything was agreed on.
    let is_first = request.method == "plugin.describe";
    if !is_first && !(spoken.min..=spoken.max).contains(&request.protocol) {
        let words = format!("protocol {} is not spoken here, {spoken} is", request.protocol);
        return Err(PluginError::new(PluginError::PROTOCOL_UNSUPPORTED, words));
    }
    let params = request.params;
    Ok(match request.method.as_str() {
        "plugin.describe" => Call::Now(describe(plugin, params)),
        "config.validate" => Call::Now(validate(plugin, params)),
        "strategy.outline" => Call::Now(outline(plugin, params)),
        "strategy.decide" => Call::Now(decide(plugin, params)),
        "hook.run" => run_hook(plugin, params)?,
        "alarm.read" => read_alarms(plugin, params)?,
        other => {
            let words = format!("there is no method `{other}` here");
            return Err(PluginError::new(PluginError::METHOD_UNKNOWN, words));
        }
    })
}

fn describe(plugin: &PluginDecl, params: Value) -> Answered {
    let _: DescribeParams = read(params)?;
    answer(&Description {
        name: plugin.name().to_owned(),
        version: plugin.version().to_owned(),
        sdk: concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")).to_owned(),
        protocol: ProtocolRange::SUPPORTED,
        panic: if cfg!(panic = "abort") { PanicStrategy::Abort } else { PanicStrategy::Unwind },
        requires: std::collections::BTreeSet::new(),
        components: plugin.components().map(description).collect(),
    })
}

fn description(component: Component) -> ComponentDescription {
    ComponentDescription {
        kind: component.kind(),
        id: component.id().to_owned(),
        summary: component.summary().to_owned(),
        config_schema: component.config_schema(),
    }
}

fn validate(plugin: &PluginDecl, params: Value) -> Answered {
    let params: ValidateParams = read(params)?;
    let component = component(plugin, params.kind, &params.component)?;
    answer(&Validation { diagnostics: component.validate(&params.config)? })
}

fn outline(plugin: &PluginDecl, params: Value) -> Answered {
    let params: OutlineParams = read(params)?;
    let strategy = strategy(plugin, &params.component)?;
    answer(&strategy.outline(&params.config, &params.target)?)
}

fn decide(plugin: &PluginDecl, params: Value) -> Answered {
    let params: DecideParams = read(params)?;
    let strategy = strategy(plugin, &params.component)?;
    let (decision, state) = strategy.decide(&params.config, &params.state, &params.observation)?;
    answer(&Decided { decision, state })
}

fn run_hook(plugin: &'static PluginDecl, params: Value) -> Result<Call, PluginError> {
    let params: RunHookParams = read(params)?;
    let Component::Hook(hook) = component(plugin, ComponentKind::Hook, &params.component)? else {
        return Err(absent(ComponentKind::Hook, &params.component));
    };
    let cancel = CancellationToken::new();
    let context =
        CallContext::new(Duration::from_millis(params.deadline_ms), params.idempotency_key)
            .with_attempt(params.attempt)
            .with_cancel(cancel.clone());
    let run = async move {
        let outcome = hook.run(&context, &params.config, params.event).await?;
        answer(&HookVerdict { outcome })
    };
    Ok(Call::Later { answer: Box::pin(run), cancel })
}

fn read_alarms(plugin: &'static PluginDecl, params: Value) -> Result<Call, PluginError> {
    let params: ReadAlarmsParams = read(params)?;
    let Component::Alarm(provider) = component(plugin, ComponentKind::Alarm, &params.component)?
    else {
        return Err(absent(ComponentKind::Alarm, &params.component));
    };
    let cancel = CancellationToken::new();
    let context = CallContext::new(Duration::from_millis(params.deadline_ms), "alarms")
        .with_cancel(cancel.clone());
    let reading = async move {
        let readings = provider.read(&context, params.queries).await?;
        answer(&Readings { readings })
    };
    Ok(Call::Later { answer: Box::pin(reading), cancel })
}

fn strategy(plugin: &PluginDecl, id: &str) -> Result<&'static dyn crate::DynStrategy, PluginError> {
    match component(plugin, ComponentKind::Strategy, id)? {
        Component::Strategy(strategy) => Ok(strategy),
        _ => Err(absent(ComponentKind::Strategy, id)),
    }
}

fn component(plugin: &PluginDecl, kind: ComponentKind, id: &str) -> Result<Component, PluginError> {
    plugin
        .components()
        .find(|component| component.kind() == kind && component.id() == id)
        .ok_or_else(|| absent(kind, id))
}

fn absent(kind: ComponentKind, id: &str) -> PluginError {
    let words = format!("there is no {} `{id}` in this plugin", kind.as_str());
    PluginError::new(PluginError::COMPONENT_UNKNOWN, words)
}

fn read<P: DeserializeOwned>(params: Value) -> Result<P, PluginError> {
    serde_path_to_error::deserialize(params).map_err(|error| {
        let words = format!("the params cannot be read: `{}`: {}", error.path(), error.inner());
        PluginError::new(PluginError::MESSAGE_INVALID, words)
    })
}

fn answer(ok: &impl Serialize) -> Answered {
    serde_json::to_value(ok).map_err(|error| {
        PluginError::new(PluginError::ANSWER_INVALID, format!("the answer is not JSON: {error}"))
    })
}
