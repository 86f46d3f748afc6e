//! `cloudwatch-metric`: the candidate's own metric, without any alarm object.
//!
//! What is measured is what Lambda reports with the dimensions `FunctionName`, `Resource`
//! (`function:alias`) and `ExecutedVersion`, so that the stable version's traffic does not hide the
//! candidate's. Lambda reports `ExecutedVersion` only while an alias has weights; after the
//! promotion the alias as a whole is the candidate, and its metric without that dimension is read.

mod config;
mod judge;
mod series;

use std::collections::HashMap;

use aws_sdk_cloudwatch::Client;
use wavegate_plugin_sdk::aws::{self, Service};
use wavegate_plugin_sdk::{
    AlarmProvider, AlarmQuery, AlarmReading, AlarmStatus, CallContext, CloudAccess, Diagnostics,
    Look, PluginError,
};

pub use config::{Max, MetricConfig};

use crate::link;
use series::{Book, Wanted};

/// The provider.
pub struct CloudWatchMetric;

impl AlarmProvider for CloudWatchMetric {
    const ID: &'static str = "cloudwatch-metric";
    const SUMMARY: &'static str = "the candidate's own metric in CloudWatch; needs no alarm";
    type Config = MetricConfig;

    async fn read(
        &self,
        _cx: &CallContext,
        queries: Vec<AlarmQuery<MetricConfig>>,
    ) -> Result<Vec<AlarmReading>, PluginError> {
        let mut readings = Vec::with_capacity(queries.len());
        let mut by_cloud: HashMap<CloudAccess, Vec<AlarmQuery<MetricConfig>>> = HashMap::new();
        for query in queries {
            match nothing_to_measure(&query) {
                Some(reading) => readings.push(reading),
                None => by_cloud.entry(query.cloud.clone()).or_default().push(query),
            }
        }
        for (cloud, queries) in by_cloud {
            let settings = aws::sdk_config(&cloud, Service::CloudWatch).await;
            readings.extend(read_all(&Client::new(&settings), &queries).await?);
        }
        Ok(readings)
    }

    fn validate(&self, config: &MetricConfig) -> Diagnostics {
        config.check()
    }
}

/// A candidate without traffic cannot be red: before the start there is nothing to compare with,
/// and nothing to wait for.
fn nothing_to_measure(query: &AlarmQuery<MetricConfig>) -> Option<AlarmReading> {
    let detail = if query.look == Look::Snapshot {
        "measured on the candidate only"
    } else if query.subject.candidate.is_none() || query.since_ms.is_none() {
        "the candidate has had no traffic yet"
    } else {
        return None;
    };
    Some(AlarmReading {
        key: query.key.clone(),
        status: AlarmStatus::Ok,
        detail: detail.to_owned(),
        link: None,
    })
}

pub(crate) async fn read_all(
    client: &Client,
    queries: &[AlarmQuery<MetricConfig>],
) -> Result<Vec<AlarmReading>, PluginError> {
    let wanted: Vec<Wanted<'_>> = queries.iter().filter_map(Wanted::of).collect();
    let book = Book::read(client, &wanted).await?;
    Ok(wanted.iter().map(|wanted| reading(wanted, &book)).collect())
}

fn reading(wanted: &Wanted<'_>, book: &Book) -> AlarmReading {
    let query = wanted.query;
    let (status, detail) = match wanted.samples(book) {
        Ok(samples) => judge::judge(&query.config, &samples),
        Err(reason) => (AlarmStatus::Unknown, reason),
    };
    let link = link::to_metrics(&query.cloud, &query.subject.function);
    AlarmReading { key: query.key.clone(), status, detail, link }
}

#[cfg(test)]
mod tests;
