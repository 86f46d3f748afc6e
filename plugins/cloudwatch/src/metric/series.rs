//! Which series a question needs, how they are fetched together, and how they become samples.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{
    Dimension, Metric, MetricDataQuery, MetricDataResult, MetricStat, ScanBy, StatusCode,
};
use wavegate_plugin_sdk::aws::{self, Service};
use wavegate_plugin_sdk::{AlarmQuery, PluginError};

use super::config::MetricConfig;
use super::judge::Sample;

/// How many series one `GetMetricData` takes.
const SERIES_PER_CALL: usize = 500;

/// Pages per call. All points of [`LOOK_BACK_MS`] in minutes for 500 series fit into one page of
/// 100 800 points; more pages than this are a service that does not end.
const MAX_PAGES: usize = 20;

/// How far back a reading looks, in milliseconds. A release that was watched by nobody for longer
/// bakes again from zero, and within three hours CloudWatch answers from its fast storage.
const LOOK_BACK_MS: i64 = 3 * 60 * 60 * 1_000;

/// What the metrics are about, and where.
const NAMESPACE: &str = "AWS/Lambda";
const INVOCATIONS: &str = "Invocations";
const THROTTLES: &str = "Throttles";

/// One series of numbers in CloudWatch.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Series {
    function: String,
    alias: String,
    /// `ExecutedVersion`; none for the alias as a whole.
    version: Option<String>,
    metric: String,
    stat: String,
}

/// What one question needs.
pub(crate) struct Wanted<'a> {
    pub(crate) query: &'a AlarmQuery<MetricConfig>,
    candidate: &'a str,
    since_ms: i64,
    window: Window,
}

/// Questions with the same window are fetched together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Window {
    period_ms: i64,
    end_ms: i64,
}

impl<'a> Wanted<'a> {
    /// None for a candidate that has had no traffic.
    pub(crate) fn of(query: &'a AlarmQuery<MetricConfig>) -> Option<Self> {
        let period_ms = query.config.period_ms();
        // The period that is under way counts too: its end is still to come.
        let end_ms = floor(query.now_ms, period_ms) + period_ms;
        Some(Self {
            query,
            candidate: query.subject.candidate.as_deref()?,
            since_ms: query.since_ms?,
            window: Window { period_ms, end_ms },
        })
    }

    /// The first period that is looked at: the one in which the candidate got its first traffic.
    fn start_ms(&self) -> i64 {
        let Window { period_ms, end_ms } = self.window;
        // A run of long periods must fit in, with the one under way.
        let run_ms = period_ms.saturating_mul(i64::from(self.query.config.periods) + 1);
        let earliest = end_ms.saturating_sub(run_ms.max(LOOK_BACK_MS));
        floor(self.since_ms.max(earliest), period_ms)
    }

    fn series(&self, version: Option<&str>, metric: &str, stat: &str) -> Series {
        Series {
            function: self.query.subject.function.clone(),
            alias: self.query.subject.alias.clone(),
            version: version.map(str::to_owned),
            metric: metric.to_owned(),
            stat: stat.to_owned(),
        }
    }

    fn value(&self, version: Option<&str>) -> Series {
        self.series(version, &self.query.config.metric, &self.query.config.stat)
    }

    fn invocations(&self, version: Option<&str>) -> Series {
        self.series(version, INVOCATIONS, "Sum")
    }

    fn all_series(&self) -> Vec<Series> {
        let candidate = Some(self.candidate);
        let mut all = vec![
            self.value(candidate),
            self.invocations(candidate),
            self.value(None),
            self.invocations(None),
        ];
        if let Some(stable) = &self.query.subject.stable {
            all.push(self.invocations(Some(stable)));
        }
        all
    }

    /// The candidate's periods, oldest first; or why they cannot be told.
    pub(crate) fn samples(&self, book: &Book) -> Result<Vec<Sample>, String> {
        let look = |series: &Series| book.points(self.window, series);
        let candidate = Some(self.candidate);
        let (value, calls) = (look(&self.value(candidate))?, look(&self.invocations(candidate))?);
        let (alias_value, alias_calls) = (look(&self.value(None))?, look(&self.invocations(None))?);
        let stable_calls = match &self.query.subject.stable {
            Some(stable) => look(&self.invocations(Some(stable)))?,
            None => &EMPTY,
        };
        let Window { period_ms, end_ms } = self.window;
        let mut samples = Vec::new();
        let mut at = self.start_ms();
        while at < end_ms {
            let weighted =
                [value, calls, stable_calls].iter().any(|points| points.contains_key(&at));
            let only_candidate = at >= self.since_ms || self.query.subject.stable.is_none();
            if weighted {
                samples.push(self.sample(value.get(&at), calls.get(&at)));
            } else if only_candidate {
                // No version is told apart, and the candidate has had traffic before this period
                // began: the alias has one version, and it is the candidate.
                samples.push(self.sample(alias_value.get(&at), alias_calls.get(&at)));
            }
            at += period_ms;
        }
        Ok(samples)
    }

    fn sample(&self, value: Option<&f64>, calls: Option<&f64>) -> Sample {
        let config = &self.query.config;
        let invocations = calls.copied().unwrap_or_default();
        // A throttled call is no invocation, and no error.
        let throttled =
            if config.metric == THROTTLES { value.copied().unwrap_or_default() } else { 0.0 };
        let silent_zero = (config.is_count() && invocations > 0.0).then_some(0.0);
        Sample { value: value.copied().or(silent_zero), calls: invocations + throttled }
    }
}

static EMPTY: BTreeMap<i64, f64> = BTreeMap::new();

/// All that was fetched for one call.
#[derive(Default)]
pub(crate) struct Book(HashMap<(Window, Series), Page>);

/// One series as it was fetched.
#[derive(Default)]
struct Page {
    points: BTreeMap<i64, f64>,
    /// Why CloudWatch did not give all of it.
    failed: Option<String>,
}

impl Book {
    /// Fetches what all of these need: each series once, 500 in a call.
    pub(crate) async fn read(client: &Client, wanted: &[Wanted<'_>]) -> Result<Self, PluginError> {
        let mut book = Self::default();
        let mut windows: BTreeMap<Window, (i64, Vec<Series>)> = BTreeMap::new();
        for wanted in wanted {
            let (start_ms, series) =
                windows.entry(wanted.window).or_insert_with(|| (i64::MAX, Vec::new()));
            *start_ms = wanted.start_ms().min(*start_ms);
            series.extend(wanted.all_series());
        }
        for (window, (start_ms, mut series)) in windows {
            series.sort_unstable();
            series.dedup();
            for series in series.chunks(SERIES_PER_CALL) {
                book.fetch(client, window, start_ms, series).await?;
            }
        }
        Ok(book)
    }

    fn points(&self, window: Window, series: &Series) -> Result<&BTreeMap<i64, f64>, String> {
        match self.0.get(&(window, series.clone())) {
            Some(Page { failed: Some(reason), .. }) => {
                Err(format!("CloudWatch could not tell {}: {reason}", series.metric))
            }
            Some(page) => Ok(&page.points),
            None => Ok(&EMPTY),
        }
    }

    async fn fetch(
        &mut self,
        client: &Client,
        window: Window,
        start_ms: i64,
        series: &[Series],
    ) -> Result<(), PluginError> {
        let queries: Vec<MetricDataQuery> = series
            .iter()
            .enumerate()
            .map(|(index, series)| metric_data_query(index, series, window.period_ms))
            .collect();
        let mut next = None;
        for _ in 0..MAX_PAGES {
            let page = client
                .get_metric_data()
                .set_metric_data_queries(Some(queries.clone()))
                .start_time(DateTime::from_millis(start_ms))
                .end_time(DateTime::from_millis(window.end_ms))
                .scan_by(ScanBy::TimestampAscending)
                .set_next_token(next.take())
                .send()
                .await
                .map_err(|error| aws::call_failed(Service::CloudWatch, "GetMetricData", &error))?;
            for result in page.metric_data_results() {
                self.take(window, series, result);
            }
            next = page.next_token().filter(|token| !token.is_empty()).map(str::to_owned);
            if next.is_none() {
                return Ok(());
            }
        }
        let message = format!("CloudWatch gave more than {MAX_PAGES} pages of metric data");
        Err(PluginError::new(aws::GARBLED, message))
    }

    fn take(&mut self, window: Window, series: &[Series], result: &MetricDataResult) {
        let index = result.id().and_then(|id| id.strip_prefix('m')?.parse::<usize>().ok());
        let Some(series) = index.and_then(|index| series.get(index)) else { return };
        let page = self.0.entry((window, series.clone())).or_default();
        for (at, value) in result.timestamps().iter().zip(result.values()) {
            if let Ok(at_ms) = at.to_millis() {
                page.points.insert(floor(at_ms, window.period_ms), *value);
            }
        }
        match result.status_code() {
            // Partial data comes with a token for the rest.
            None | Some(StatusCode::Complete | StatusCode::PartialData) => {}
            Some(other) => page.failed = Some(other.as_str().to_owned()),
        }
    }
}

fn metric_data_query(index: usize, series: &Series, period_ms: i64) -> MetricDataQuery {
    let dimension = |name: &str, value: &str| Dimension::builder().name(name).value(value).build();
    let resource = format!("{}:{}", series.function, series.alias);
    let metric = Metric::builder()
        .namespace(NAMESPACE)
        .metric_name(&series.metric)
        .dimensions(dimension("FunctionName", &series.function))
        .dimensions(dimension("Resource", &resource));
    let metric = match &series.version {
        Some(version) => metric.dimensions(dimension("ExecutedVersion", version)),
        None => metric,
    };
    let stat = MetricStat::builder()
        .metric(metric.build())
        .period(i32::try_from(period_ms / 1_000).unwrap_or(i32::MAX))
        .stat(&series.stat)
        .build();
    MetricDataQuery::builder().id(format!("m{index}")).metric_stat(stat).return_data(true).build()
}

/// The start of the period in which a time lies.
fn floor(at_ms: i64, period_ms: i64) -> i64 {
    at_ms - at_ms.rem_euclid(period_ms)
}
