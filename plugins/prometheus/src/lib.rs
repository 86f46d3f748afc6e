//! Alarm provider `prometheus`: what a PromQL query measures, held against limits.
//!
//! ```toml
//! [alarms.errors]
//! use = "prometheus"
//! url = "https://prometheus.example.com"
//! query = '''
//!   (sum(rate(http_requests_total{app="$app", version="$candidate", code=~"5.."}[2m])) or vector(0))
//!     / sum(rate(http_requests_total{app="$app", version="$candidate"}[2m]))
//! '''
//! max = 0.01
//! ```
//!
//! Works with anything that speaks Prometheus's `/api/v1/query`: Thanos, Mimir, VictoriaMetrics.
//! `$app`, `$function`, `$alias`, `$stable` and `$candidate` stand for what is looked at. The
//! `or vector(0)` is for an app that never had an error: the sum of no series is no 0, it is nothing.
//!
//! Invariants:
//! - One series in breach fires, however many are quiet.
//! - What cannot be told is `unknown`, never `ok`: no answer, a refused query, half of the data. Only
//!   of a result without any number the config says what it means.
//! - A query that cannot be answered is found out before the start of a release, also if it measures
//!   the candidate, which has no traffic by then.
//! - One server that does not answer hides nothing of what others say: the call ends before its
//!   deadline, with what was told until then.
//! - Equal queries of one call are one request.
//!
//! Deliberately absent: a clock (a query is evaluated at the server's own time), ranges (`rate` and
//! its like look back inside the query), and any memory between calls.

mod answer;
mod config;
mod judge;
mod promql;

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use wavegate_plugin_sdk::http::{self, Address, Headers, Post};
use wavegate_plugin_sdk::{
    AlarmProvider, AlarmQuery, AlarmReading, AlarmStatus, AlarmSubject, CallContext, Diagnostics,
    Look, PluginError, export_plugin,
};

use answer::Measured;
pub use config::Config;

/// The provider.
pub struct Prometheus;

/// How many requests are under way to one server at a time: what it takes from one client without
/// notice.
const MAX_AT_ONCE: usize = 8;

/// How long one request may take at most. Servers give up on a query after two minutes; one that
/// takes longer than this is no gate.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How much of an answer is read, in bytes: some thousands of series. More are a query that forgot
/// to aggregate.
const MAX_BODY_BYTES: usize = 1 << 20;

impl AlarmProvider for Prometheus {
    const ID: &'static str = "prometheus";
    const SUMMARY: &'static str = "what a PromQL query measures, held against limits";
    type Config = Config;

    async fn read(
        &self,
        cx: &CallContext,
        queries: Vec<AlarmQuery<Config>>,
    ) -> Result<Vec<AlarmReading>, PluginError> {
        let mut readings = Vec::with_capacity(queries.len());
        let mut by_request: BTreeMap<Request, Vec<AlarmQuery<Config>>> = BTreeMap::new();
        for query in queries {
            match known_beforehand(&query) {
                Some((status, detail)) if query.look == Look::Watch => {
                    readings.push(reading(&query, status, detail));
                }
                _ => by_request.entry(Request::of(&query)).or_default().push(query),
            }
        }
        let (requests, asked): (Vec<_>, Vec<_>) = by_request.into_iter().unzip();
        let answers = answers(cx.deadline, &requests).await;
        let mut failures = Failures::default();
        for ((request, queries), answer) in requests.iter().zip(asked).zip(answers) {
            for query in &queries {
                let (status, detail) = match &answer {
                    Ok(measured) => known_beforehand(query)
                        .unwrap_or_else(|| judge::judge(&query.config, measured)),
                    Err(error) => failures.of(query, error),
                };
                let link = Some(request.link());
                readings.push(AlarmReading { link, ..reading(query, status, detail) });
            }
        }
        failures.into_result(readings)
    }

    fn validate(&self, config: &Config) -> Diagnostics {
        config.check()
    }
}

/// What can be told whatever the server measures. Before the start it is asked all the same: whether
/// it can answer must not be found out on the way.
fn known_beforehand(query: &AlarmQuery<Config>) -> Option<(AlarmStatus, String)> {
    let subject = &query.subject;
    let mentions = |word| promql::mentions(&query.config.query, word);
    if mentions("candidate") {
        // A candidate without traffic cannot be red, and there is nothing to wait for.
        if query.look == Look::Snapshot {
            return Some((AlarmStatus::Ok, "measured on the candidate only".to_owned()));
        }
        if subject.candidate.is_none() || query.since_ms.is_none() {
            return Some((AlarmStatus::Ok, "the candidate has had no traffic yet".to_owned()));
        }
    }
    let is_alone = mentions("stable") && subject.stable.is_none();
    is_alone.then(|| judge::without_data(&query.config, "there is no stable version"))
}

/// What each of the requests came to, as far as it is there soon enough for this call to tell.
async fn answers(deadline: Duration, requests: &[Request]) -> Vec<Result<Measured, PluginError>> {
    let timeout = TIMEOUT.min(deadline / 4 * 3);
    let mut answers: Vec<_> = requests.iter().map(|request| Err(request.is_late())).collect();
    let mut by_server: BTreeMap<Address, Vec<(usize, Request)>> = BTreeMap::new();
    for (n, request) in requests.iter().enumerate() {
        by_server.entry(request.url.clone()).or_default().push((n, request.clone()));
    }
    let mut coming = stream::select_all(by_server.into_values().map(|requests| {
        stream::iter(requests)
            .map(|(n, request)| async move { (n, request.send(timeout).await) })
            .buffer_unordered(MAX_AT_ONCE)
    }));
    let collect = async {
        while let Some((n, answer)) = coming.next().await {
            answers[n] = answer;
        }
    };
    // Those that are not there by then stay late.
    let _ = tokio::time::timeout(http::within(deadline), collect).await;
    answers
}

fn reading(query: &AlarmQuery<Config>, status: AlarmStatus, detail: String) -> AlarmReading {
    AlarmReading { key: query.key.clone(), status, detail, link: None }
}

/// All that makes one request differ from another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Request {
    url: Address,
    promql: String,
    headers: BTreeMap<String, String>,
    headers_from_env: BTreeMap<String, String>,
    bearer_token_env: Option<String>,
}

impl Request {
    fn of(query: &AlarmQuery<Config>) -> Self {
        let config = &query.config;
        Self {
            url: config.url.clone(),
            promql: promql::fill(&config.query, &asked_about(query)),
            headers: config.headers.clone(),
            headers_from_env: config.headers_from_env.clone(),
            bearer_token_env: config.bearer_token_env.clone(),
        }
    }

    async fn send(&self, timeout: Duration) -> Result<Measured, PluginError> {
        let mut headers = Headers::read(&self.headers, &self.headers_from_env)?;
        if let Some(name) = &self.bearer_token_env {
            let token = http::variable(name)?;
            headers.insert_secret("authorization", &format!("Bearer {token}"))?;
        }
        let answer = Post::form(self.url.below("api/v1/query"), &[("query", &self.promql)])
            .with_headers(headers)
            .with_limit(MAX_BODY_BYTES)
            .with_timeout(timeout)
            .send()
            .await?;
        answer::understand(&self.url, &answer)
    }

    fn is_late(&self) -> PluginError {
        let message = format!("{} did not answer before the call had to end", self.url);
        PluginError::new(http::TIMEOUT, message).retryable()
    }

    /// The server's own page with the graph of the query.
    fn link(&self) -> String {
        let fields = [("g0.expr", self.promql.as_str()), ("g0.tab", "0"), ("g0.range_input", "1h")];
        self.url.below("graph").link(&fields)
    }
}

/// The subject of a query. Before the start there need be no candidate, and before the first release
/// no stable version: something stands in for them, so that the query can be asked.
fn asked_about(query: &AlarmQuery<Config>) -> AlarmSubject {
    let mut subject = query.subject.clone();
    if query.look == Look::Snapshot {
        let stable = subject.stable.get_or_insert_with(|| "0".to_owned());
        subject.candidate.get_or_insert_with(|| stable.clone());
    }
    subject
}

/// The requests of one call that went wrong.
#[derive(Default)]
struct Failures {
    first: Option<PluginError>,
    words: Vec<String>,
    questions: usize,
    before_the_start: bool,
}

impl Failures {
    /// What a question comes to whose request went wrong.
    fn of(&mut self, query: &AlarmQuery<Config>, error: &PluginError) -> (AlarmStatus, String) {
        self.first.get_or_insert_with(|| error.clone());
        if !self.words.iter().any(|words| words == error.message()) {
            self.words.push(error.message().to_owned());
        }
        self.questions += 1;
        self.before_the_start |= query.look == Look::Snapshot;
        (AlarmStatus::Unknown, error.message().to_owned())
    }

    /// One request that fails leaves its alarms `unknown` while others are told. If all fail there
    /// is nothing to tell, and before the start of a release none may: a query with a typing error
    /// must not be found out on the way.
    fn into_result(self, readings: Vec<AlarmReading>) -> Result<Vec<AlarmReading>, PluginError> {
        match self.first {
            Some(first) if self.before_the_start || self.questions == readings.len() => {
                let error = PluginError::new(first.code(), self.words.join("; "));
                Err(if first.is_retryable() { error.retryable() } else { error })
            }
            _ => Ok(readings),
        }
    }
}

export_plugin! { alarms: [Prometheus] }

#[cfg(test)]
mod tests;
