//! Apps, as specifications and artifacts.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use wavegate_core::inventory::Artifact;
use wavegate_core::name::{AliasName, AppName, FunctionName};
use wavegate_core::spec::{
    AlarmUse, AppSpec, CodeSource, ComponentUse, FunctionConfig, FunctionSpec, Hooks,
    IfAlreadyAlarming, OnFailure, Opaque, RollbackScope,
};

/// A function's name.
///
/// # Panics
/// If it is not legal.
pub fn name(text: &str) -> FunctionName {
    FunctionName::new(text).expect("a legal name")
}

/// An app of these functions and their dependencies. Each is released by a canary of 10 % for ten
/// minutes, watched by an alarm `errors`.
///
/// # Panics
/// If a name is not legal.
pub fn app(functions: &[(&str, &[&str])]) -> AppSpec {
    AppSpec {
        name: AppName::new("shop").expect("a legal name"),
        alias: AliasName::new("live").expect("a legal name"),
        on_failure: OnFailure::Rollback,
        rollback_scope: RollbackScope::App,
        on_blind: wavegate_core::spec::OnBlind::Rollback,
        max_parallel: 16,
        keep_versions: 3,
        functions: functions.iter().map(|(f, needs)| (name(f), function(f, needs))).collect(),
    }
}

fn function(key: &str, needs: &[&str]) -> FunctionSpec {
    FunctionSpec {
        name: name(key),
        lambda_name: name(key),
        code: CodeSource::Path(key.into()),
        config: FunctionConfig {
            runtime: Some("python3.13".to_owned()),
            handler: Some("app.handler".to_owned()),
            role: "arn:aws:iam::000000000000:role/test".to_owned(),
            memory_mb: 128,
            timeout_s: 3,
            architecture: "x86_64".to_owned(),
            ephemeral_storage_mb: 512,
            ..FunctionConfig::default()
        },
        depends_on: needs.iter().map(|need| name(need)).collect(),
        strategy: ComponentUse {
            name: "Canary10Percent10Minutes".to_owned(),
            component: "canary".to_owned(),
            config: Opaque(r#"{"percent":10,"bake":"10m"}"#.to_owned()),
        },
        engine: wavegate_core::codedeploy::Engine::Native,
        hooks: Hooks::default(),
        alarms: vec![AlarmUse {
            alarm: ComponentUse {
                name: "errors".to_owned(),
                component: "scripted".to_owned(),
                config: Opaque("{}".to_owned()),
            },
            if_already_alarming: IfAlreadyAlarming::Fail,
        }],
        bake: Duration::from_mins(1),
    }
}

/// An app of `count` functions in layers of `width`, each depending on two of the layer before.
pub fn layered(count: usize, width: usize) -> AppSpec {
    let mut spec = app(&[]);
    for index in 0..count {
        let key = format!("f{index:05}");
        let (layer, place) = (index / width, index % width);
        let needs: BTreeSet<FunctionName> = [place, (place + 1) % width]
            .into_iter()
            .filter(|_| layer > 0)
            .map(|before| name(&format!("f{:05}", (layer - 1) * width + before)))
            .collect();
        let mut one = function(&key, &[]);
        one.depends_on = needs;
        spec.functions.insert(name(&key), one);
    }
    spec
}

/// Artifacts whose content is named by `revision`: another revision is other code.
pub fn artifacts(spec: &AppSpec, revision: &str) -> BTreeMap<FunctionName, Artifact> {
    spec.functions.keys().map(|key| (key.clone(), artifact(key, revision))).collect()
}

/// One artifact. Its hash is made up: the model keeps hashes, not code.
pub fn artifact(key: &FunctionName, revision: &str) -> Artifact {
    Artifact::Zip {
        code_sha256: format!("{key}-{revision}"),
        zipped_bytes: 1_000,
        unzipped_bytes: 3_000,
        path: std::path::PathBuf::new(),
    }
}
