//! Components as a host sees them: JSON in, JSON out, whatever the component's own types are.
//!
//! Every call is fenced here, once for all components: a bad config, a panic, a deadline and a
//! cancellation all come back as a [`PluginError`].

use std::collections::HashMap;
use std::pin::Pin;

use schemars::{JsonSchema, SchemaGenerator};
use serde_json::Value;

use crate::caught::{Caught, caught};
use crate::{
    AlarmProvider, AlarmQuery, AlarmReading, AlarmStatus, CallContext, Decision, Diagnostic, Hook,
    HookEvent, HookOutcome, Observation, Outline, PluginError, Strategy, Target, config,
};

/// A future that a host may move between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A [`Strategy`] whose config and state are JSON.
pub trait DynStrategy: Send + Sync {
    /// [`Strategy::ID`].
    fn id(&self) -> &'static str;
    /// [`Strategy::SUMMARY`].
    fn summary(&self) -> &'static str;
    /// The JSON Schema of its config.
    fn config_schema(&self) -> Value;
    /// Everything that is wrong with a config.
    fn validate(&self, config: &Value) -> Result<Vec<Diagnostic>, PluginError>;
    /// [`Strategy::outline`].
    fn outline(&self, config: &Value, target: &Target) -> Result<Outline, PluginError>;
    /// [`Strategy::decide`]. `null` stands for the state before the first decision; the state
    /// after this one is returned.
    fn decide(
        &self,
        config: &Value,
        state: &Value,
        seen: &Observation,
    ) -> Result<(Decision, Value), PluginError>;
}

/// A [`Hook`] whose config is JSON.
pub trait DynHook: Send + Sync {
    /// [`Hook::ID`].
    fn id(&self) -> &'static str;
    /// [`Hook::SUMMARY`].
    fn summary(&self) -> &'static str;
    /// The JSON Schema of its config.
    fn config_schema(&self) -> Value;
    /// Everything that is wrong with a config.
    fn validate(&self, config: &Value) -> Result<Vec<Diagnostic>, PluginError>;
    /// [`Hook::run`], ended by the context's deadline or cancellation. Needs a tokio runtime with
    /// time and I/O.
    fn run<'a>(
        &'a self,
        cx: &'a CallContext,
        config: &'a Value,
        event: HookEvent,
    ) -> BoxFuture<'a, Result<HookOutcome, PluginError>>;
}

/// An [`AlarmProvider`] whose configs are JSON.
pub trait DynAlarmProvider: Send + Sync {
    /// [`AlarmProvider::ID`].
    fn id(&self) -> &'static str;
    /// [`AlarmProvider::SUMMARY`].
    fn summary(&self) -> &'static str;
    /// The JSON Schema of its config.
    fn config_schema(&self) -> Value;
    /// Everything that is wrong with a config.
    fn validate(&self, config: &Value) -> Result<Vec<Diagnostic>, PluginError>;
    /// [`AlarmProvider::read`], ended by the context's deadline or cancellation. Answers with
    /// exactly one reading per query, in the order of the queries; one that the provider left out
    /// is `unknown`. Needs a tokio runtime with time and I/O.
    fn read<'a>(
        &'a self,
        cx: &'a CallContext,
        queries: Vec<AlarmQuery<Value>>,
    ) -> BoxFuture<'a, Result<Vec<AlarmReading>, PluginError>>;
}

impl<S: Strategy> DynStrategy for S {
    fn id(&self) -> &'static str {
        S::ID
    }

    fn summary(&self) -> &'static str {
        S::SUMMARY
    }

    fn config_schema(&self) -> Value {
        schema_of::<S::Config>()
    }

    fn validate(&self, config: &Value) -> Result<Vec<Diagnostic>, PluginError> {
        unwound(S::ID, || Ok(config::diagnose(config, |config| Strategy::validate(self, config))))
    }

    fn outline(&self, config: &Value, target: &Target) -> Result<Outline, PluginError> {
        unwound(S::ID, || {
            let config = config::parse(S::ID, config)?;
            Ok(Strategy::outline(self, &config, target))
        })
    }

    fn decide(
        &self,
        config: &Value,
        state: &Value,
        seen: &Observation,
    ) -> Result<(Decision, Value), PluginError> {
        unwound(S::ID, || {
            let config = config::parse(S::ID, config)?;
            let mut state = restore_state::<S>(state)?;
            let decision = Strategy::decide(self, &config, &mut state, seen)?;
            let state = serde_json::to_value(&state).map_err(|error| state_error(S::ID, &error))?;
            Ok((decision, state))
        })
    }
}

impl<H: Hook> DynHook for H {
    fn id(&self) -> &'static str {
        H::ID
    }

    fn summary(&self) -> &'static str {
        H::SUMMARY
    }

    fn config_schema(&self) -> Value {
        schema_of::<H::Config>()
    }

    fn validate(&self, config: &Value) -> Result<Vec<Diagnostic>, PluginError> {
        unwound(H::ID, || Ok(config::diagnose(config, |config| Hook::validate(self, config))))
    }

    fn run<'a>(
        &'a self,
        cx: &'a CallContext,
        config: &'a Value,
        event: HookEvent,
    ) -> BoxFuture<'a, Result<HookOutcome, PluginError>> {
        Box::pin(fenced(H::ID, cx, async move {
            let config = config::parse(H::ID, config)?;
            Hook::run(self, cx, config, event).await
        }))
    }
}

impl<A: AlarmProvider> DynAlarmProvider for A {
    fn id(&self) -> &'static str {
        A::ID
    }

    fn summary(&self) -> &'static str {
        A::SUMMARY
    }

    fn config_schema(&self) -> Value {
        schema_of::<A::Config>()
    }

    fn validate(&self, config: &Value) -> Result<Vec<Diagnostic>, PluginError> {
        unwound(A::ID, || {
            Ok(config::diagnose(config, |config| AlarmProvider::validate(self, config)))
        })
    }

    fn read<'a>(
        &'a self,
        cx: &'a CallContext,
        queries: Vec<AlarmQuery<Value>>,
    ) -> BoxFuture<'a, Result<Vec<AlarmReading>, PluginError>> {
        Box::pin(fenced(A::ID, cx, async move {
            let keys: Vec<String> = queries.iter().map(|query| query.key.clone()).collect();
            let queries =
                queries.into_iter().map(with_config::<A>).collect::<Result<Vec<_>, _>>()?;
            let readings = AlarmProvider::read(self, cx, queries).await?;
            Ok(one_per_query(A::ID, keys, readings))
        }))
    }
}

fn schema_of<C: JsonSchema>() -> Value {
    SchemaGenerator::default().into_root_schema_for::<C>().to_value()
}

fn restore_state<S: Strategy>(state: &Value) -> Result<S::State, PluginError> {
    if state.is_null() {
        return Ok(S::State::default());
    }
    serde_path_to_error::deserialize(state).map_err(|error| state_error(S::ID, &error))
}

fn state_error(component: &str, cause: &dyn std::fmt::Display) -> PluginError {
    PluginError::new(
        PluginError::STATE_INVALID,
        format!("the state of `{component}` cannot be restored: {cause}"),
    )
}

fn with_config<A: AlarmProvider>(
    query: AlarmQuery<Value>,
) -> Result<AlarmQuery<A::Config>, PluginError> {
    let AlarmQuery { key, config, subject, look, since_ms, now_ms, cloud } = query;
    let config = config::parse(A::ID, &config).map_err(|error| {
        PluginError::new(error.code(), format!("alarm `{key}`: {}", error.message()))
    })?;
    Ok(AlarmQuery { key, config, subject, look, since_ms, now_ms, cloud })
}

fn one_per_query(
    component: &str,
    keys: Vec<String>,
    readings: Vec<AlarmReading>,
) -> Vec<AlarmReading> {
    let mut by_key: HashMap<String, AlarmReading> = HashMap::new();
    for reading in readings {
        let key = reading.key.clone();
        by_key
            .entry(key)
            // Which of two readings is the true one nobody can tell.
            .and_modify(|first| {
                first.status = AlarmStatus::Unknown;
                first.detail = format!("`{component}` gave two readings");
            })
            .or_insert(reading);
    }
    keys.into_iter()
        .map(|key| {
            by_key.remove(&key).unwrap_or_else(|| AlarmReading {
                key,
                status: AlarmStatus::Unknown,
                detail: format!("`{component}` gave no reading"),
                link: None,
            })
        })
        .collect()
}

/// Ends `call` at the context's deadline or cancellation, by dropping it, and catches its panic.
async fn fenced<T>(
    component: &'static str,
    cx: &CallContext,
    call: impl Future<Output = Result<T, PluginError>>,
) -> Result<T, PluginError> {
    let guarded = Caught(Box::pin(call));
    tokio::select! {
        biased;
        () = cx.cancel.cancelled() => {
            Err(PluginError::new(PluginError::CANCELLED, format!("`{component}` was cancelled")))
        }
        ended = tokio::time::timeout(cx.deadline, guarded) => match ended {
            Ok(Ok(answer)) => answer,
            Ok(Err(panicked)) => Err(PluginError::panicked(component, panicked)),
            Err(_) => Err(PluginError::new(
                PluginError::DEADLINE,
                format!("`{component}` did not answer within {}", humantime::format_duration(cx.deadline)),
            )
            .retryable()),
        },
    }
}

/// Runs a synchronous call and catches its panic.
fn unwound<T>(
    component: &'static str,
    call: impl FnOnce() -> Result<T, PluginError>,
) -> Result<T, PluginError> {
    caught(call).unwrap_or_else(|panicked| Err(PluginError::panicked(component, panicked)))
}

#[cfg(test)]
mod tests;
