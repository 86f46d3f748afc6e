//! The engine's alarms on the plugins' components: one batched call per provider.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::join_all;
use serde_json::Value;
use wavegate_core::name::VersionId;
use wavegate_core::plan::AlarmStatus;
use wavegate_engine::ports::{AlarmAnswer, AlarmQuestion, Alarms};
use wavegate_plugin_sdk as sdk;
use wavegate_plugin_sdk::{
    AlarmQuery, AlarmReading, AlarmSubject, CloudAccess, ComponentKind, Look,
};

use super::{moment, words};
use crate::manifest;
use crate::registry::Registry;

/// Alarm providers of plugins.
#[derive(Debug, Clone)]
pub(crate) struct PluginAlarms {
    registry: Arc<Registry>,
    cloud: CloudAccess,
}

impl PluginAlarms {
    /// The providers of these plugins, which reach the release's cloud through `cloud`.
    pub(crate) fn new(registry: Arc<Registry>, cloud: CloudAccess) -> Self {
        Self { registry, cloud }
    }

    /// Asks one provider all its questions at once.
    async fn ask(
        &self,
        component: &str,
        questions: &[(usize, AlarmQuestion)],
    ) -> Result<Vec<AlarmReading>, String> {
        let plugin = self
            .registry
            .find(ComponentKind::Alarm, component)
            .ok_or_else(|| format!("there is no alarm component `{component}`"))?;
        let queries = questions
            .iter()
            .map(|(index, question)| self.query(*index, question))
            .collect::<Result<Vec<_>, String>>()?;
        let read = plugin.read_alarms(component, queries).await;
        read.map_err(|error| words(plugin, &error))
    }

    fn query(&self, index: usize, question: &AlarmQuestion) -> Result<AlarmQuery<Value>, String> {
        let version = |version: VersionId| version.to_string();
        Ok(AlarmQuery {
            key: index.to_string(),
            config: manifest::parse(&question.alarm.config)?,
            subject: AlarmSubject {
                app: question.subject.app.clone(),
                function: question.subject.function.clone(),
                alias: question.subject.alias.clone(),
                stable: question.stable.map(version),
                candidate: question.candidate.map(version),
            },
            look: look(question),
            since_ms: question.since_ms.map(moment),
            now_ms: moment(question.now_ms),
            cloud: self.cloud.clone(),
        })
    }
}

#[async_trait]
impl Alarms for PluginAlarms {
    /// One provider that fails leaves its alarms `unknown` while others answer. Before anything
    /// is changed it is an error: a release does not start half blind.
    async fn read(&self, questions: Vec<AlarmQuestion>) -> Result<Vec<AlarmAnswer>, String> {
        let is_snapshot = questions.iter().any(|question| look(question) == Look::Snapshot);
        let mut groups: BTreeMap<String, Vec<(usize, AlarmQuestion)>> = BTreeMap::new();
        for (index, question) in questions.into_iter().enumerate() {
            groups.entry(question.alarm.component.clone()).or_default().push((index, question));
        }
        let asked = groups
            .iter()
            .map(|(component, group)| async move { (group, self.ask(component, group).await) });
        let results = join_all(asked).await;
        let failures: Vec<&String> = results.iter().filter_map(|(_, r)| r.as_ref().err()).collect();
        if !failures.is_empty() && (is_snapshot || failures.len() == results.len()) {
            let mut words: Vec<&str> = failures.into_iter().map(String::as_str).collect();
            words.dedup();
            return Err(words.join("; "));
        }
        Ok(results.into_iter().flat_map(|(group, result)| answers(group, result)).collect())
    }
}

fn look(question: &AlarmQuestion) -> Look {
    if question.candidate.is_some() { Look::Watch } else { Look::Snapshot }
}

fn answers(
    group: &[(usize, AlarmQuestion)],
    result: Result<Vec<AlarmReading>, String>,
) -> Vec<AlarmAnswer> {
    let (readings, missing) = match result {
        Ok(readings) => (readings, "the provider gave no reading".to_owned()),
        Err(reason) => (Vec::new(), reason),
    };
    let mut by_key: BTreeMap<&str, Vec<&AlarmReading>> = BTreeMap::new();
    for reading in &readings {
        by_key.entry(&reading.key).or_default().push(reading);
    }
    let of = |index: &usize| by_key.get(index.to_string().as_str()).map(Vec::as_slice);
    group
        .iter()
        .map(|(index, question)| match of(index) {
            // Which of two readings is the true one nobody can tell.
            Some([_, _, ..]) => AlarmAnswer {
                key: question.key.clone(),
                status: AlarmStatus::Unknown,
                detail: "the provider gave two readings".to_owned(),
            },
            Some([reading]) => AlarmAnswer {
                key: question.key.clone(),
                status: core_status(reading.status),
                detail: reading.detail.clone(),
            },
            Some([]) | None => AlarmAnswer {
                key: question.key.clone(),
                status: AlarmStatus::Unknown,
                detail: missing.clone(),
            },
        })
        .collect()
}

fn core_status(status: sdk::AlarmStatus) -> AlarmStatus {
    match status {
        sdk::AlarmStatus::Ok => AlarmStatus::Ok,
        sdk::AlarmStatus::Firing => AlarmStatus::Firing,
        sdk::AlarmStatus::Unknown => AlarmStatus::Unknown,
        sdk::AlarmStatus::Missing => AlarmStatus::Missing,
    }
}

#[cfg(test)]
mod tests {
    use wavegate_core::name::FunctionName;
    use wavegate_core::spec::{ComponentUse, Opaque};
    use wavegate_engine::ports::Subject;

    use super::*;

    fn question(component: &str, alarm: &str, candidate: Option<u64>) -> AlarmQuestion {
        AlarmQuestion {
            key: (FunctionName::new("auth").unwrap(), alarm.to_owned()),
            alarm: ComponentUse {
                name: alarm.to_owned(),
                component: component.to_owned(),
                config: Opaque(format!(r#"{{"alarm": "{alarm}"}}"#)),
            },
            subject: Subject { app: "shop".into(), function: "auth".into(), alias: "live".into() },
            stable: None,
            candidate: candidate.map(VersionId),
            since_ms: None,
            now_ms: 5,
        }
    }

    #[test]
    fn every_question_has_one_answer_and_none_is_ok_by_default() {
        let group: Vec<_> = ["a", "b"]
            .into_iter()
            .enumerate()
            .map(|(index, name)| (index, question("cloudwatch-alarm", name, Some(2))))
            .collect();
        let reading = AlarmReading {
            key: "1".to_owned(),
            status: sdk::AlarmStatus::Firing,
            detail: "5 > 1".to_owned(),
            link: None,
        };
        let twice = answers(&group, Ok(vec![reading.clone(), reading.clone()]));
        assert!(twice.iter().all(|answer| answer.status == AlarmStatus::Unknown));
        let told = answers(&group, Ok(vec![reading]));
        let told: Vec<_> = told.iter().map(|a| (a.key.1.as_str(), a.status)).collect();
        assert_eq!(told, [("a", AlarmStatus::Unknown), ("b", AlarmStatus::Firing)]);
        let told = answers(&group, Err("no route".to_owned()));
        assert!(told.iter().all(|a| a.status == AlarmStatus::Unknown && a.detail == "no route"));
    }

    async fn alarms() -> PluginAlarms {
        PluginAlarms::new(crate::adapter::tests::linked().await, CloudAccess::default())
    }

    #[tokio::test]
    async fn a_look_without_a_candidate_is_a_snapshot() {
        let alarms = alarms().await;
        let query = |candidate| {
            alarms.query(0, &question("cloudwatch-alarm", "a", candidate)).map(|q| q.look).unwrap()
        };
        assert_eq!((query(None), query(Some(1))), (Look::Snapshot, Look::Watch));
    }

    #[tokio::test]
    async fn a_provider_that_cannot_be_asked_is_an_error_before_anything_is_changed() {
        let alarms = alarms().await;
        let error = alarms.read(vec![question("nope", "a", None)]).await.unwrap_err();
        assert!(error.contains("`nope`"), "{error}");
    }
}
