//! Alarm provider `probe`: fires when the number in a file is too high.

use std::path::PathBuf;

use tokio::fs;
use wavegate_plugin_sdk::schemars::JsonSchema;
use wavegate_plugin_sdk::serde::Deserialize;
use wavegate_plugin_sdk::{
    AlarmProvider, AlarmQuery, AlarmReading, AlarmStatus, CallContext, Diagnostics, PluginError,
    export_plugin, tracing,
};

/// The alarm provider.
pub struct Probe;

/// What people write for it in deploy.toml.
#[derive(Deserialize, JsonSchema)]
#[serde(crate = "wavegate_plugin_sdk::serde", deny_unknown_fields)]
#[schemars(crate = "wavegate_plugin_sdk::schemars")]
#[schemars(extend("examples" = [{ "file": "backlog.txt", "max": 100 }]))]
pub struct Config {
    /// The file, relative to where wavegate is started.
    file: PathBuf,
    /// The highest number that is well.
    max: f64,
}

impl AlarmProvider for Probe {
    const ID: &'static str = "probe";
    const SUMMARY: &'static str = "fires when the number in a file is too high";
    type Config = Config;

    async fn read(
        &self,
        _: &CallContext,
        queries: Vec<AlarmQuery<Config>>,
    ) -> Result<Vec<AlarmReading>, PluginError> {
        let mut readings = Vec::new();
        for AlarmQuery { key, config, .. } in queries {
            let (status, detail) = judge(&config).await;
            tracing::debug!(?status, detail, "read");
            readings.push(AlarmReading {
                key,
                status,
                detail,
                // A page where a person can look, if there were one.
                link: None,
            });
        }
        Ok(readings)
    }

    fn validate(&self, config: &Config) -> Diagnostics {
        let mut found = Diagnostics::none();
        if config.file.as_os_str().is_empty() {
            found.error("file", "no file is named");
        }
        found
    }
}

/// What cannot be read is unknown, never well: a release does not go on without knowing.
async fn judge(config: &Config) -> (AlarmStatus, String) {
    let Config { file, max } = config;
    let said = fs::read_to_string(file).await;
    let value = said.ok().and_then(|text| text.trim().parse::<f64>().ok());
    let file = file.display();
    match value {
        Some(value) if value > *max => (AlarmStatus::Firing, format!("{file}: {value} > {max}")),
        Some(value) if value <= *max => (AlarmStatus::Ok, format!("{file}: {value} <= {max}")),
        _ => (AlarmStatus::Unknown, format!("{file} says no number")),
    }
}

export_plugin! { alarms: [Probe] }
