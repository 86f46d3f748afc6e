//! `tracing` records of a plugin on their way to the host.
//!
//! A library has its own copy of `tracing`'s globals, so nothing would reach the host by itself. The
//! subscriber here is never a global default (linked in, that one is the host's): it is the default
//! of the plugin's own threads, and of a host's thread while it is inside of a call.
//!
//! Deliberately absent: spans. A record belongs to its call, by id.

use std::cell::Cell;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Dispatch, Event, Level, Metadata, Subscriber};
use wavegate_plugin_protocol::abi;
use wavegate_plugin_protocol::pipe::LogRecord;

use crate::host::HostHandle;

thread_local! {
    static CALL: Cell<u64> = const { Cell::new(0) };
}

/// Runs `work` as a part of call `id`: its records belong to that call.
pub(crate) fn in_call<T>(id: u64, work: impl FnOnce() -> T) -> T {
    /// Puts the call back that was before, also when `work` panics.
    struct Before(u64);
    impl Drop for Before {
        fn drop(&mut self) {
            CALL.set(self.0);
        }
    }
    let _before = Before(CALL.replace(id));
    work()
}

/// The dispatcher for a plugin's records; `None` if the host wants none.
pub(crate) fn dispatch(host: HostHandle) -> Option<Dispatch> {
    let level = filter(host.log_level());
    (level != LevelFilter::OFF)
        .then(|| Dispatch::new(Forwarder { host, level, spans: Arc::new(AtomicU64::new(1)) }))
}

fn filter(level: abi::Level) -> LevelFilter {
    match level {
        ..=0 => LevelFilter::OFF,
        1 => LevelFilter::ERROR,
        2 => LevelFilter::WARN,
        3 => LevelFilter::INFO,
        4 => LevelFilter::DEBUG,
        5.. => LevelFilter::TRACE,
    }
}

fn number(level: Level) -> abi::Level {
    match level {
        Level::ERROR => 1,
        Level::WARN => 2,
        Level::INFO => 3,
        Level::DEBUG => 4,
        Level::TRACE => 5,
    }
}

struct Forwarder {
    host: HostHandle,
    level: LevelFilter,
    spans: Arc<AtomicU64>,
}

impl Subscriber for Forwarder {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.level
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.level)
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(self.spans.fetch_add(1, Ordering::Relaxed))
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let mut record = LogRecord { target: metadata.target().to_owned(), ..LogRecord::default() };
        event.record(&mut Fields(&mut record));
        if let Ok(bytes) = serde_json::to_vec(&record) {
            self.host.log(number(*metadata.level()), CALL.get(), &bytes);
        }
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Fields<'a>(&'a mut LogRecord);

impl Fields<'_> {
    fn keep(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(text)) => self.0.message = text,
            (name, value) => {
                self.0.fields.insert(name.to_owned(), value);
            }
        }
    }
}

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.keep(field, Value::String(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.keep(field, Value::from(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.keep(field, Value::from(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.keep(field, Value::from(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.keep(field, Value::from(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.keep(field, Value::from(value));
    }
}
