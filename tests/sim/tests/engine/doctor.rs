//! A doctor's hands on the model: what is healed is what was judged, or nothing is.

use wavegate_core::doctor::{Heal, Write};
use wavegate_core::inventory::AliasState;
use wavegate_core::name::{AliasName, VersionId};
use wavegate_engine::doctor::HealError;
use wavegate_engine::ports::Cloud as _;
use wavegate_tests::app::{app, artifacts, name};
use wavegate_tests::model::Stage;

fn live() -> AliasName {
    AliasName::new("live").expect("what was released")
}

/// One function with two versions, the second one served.
async fn stage() -> Stage {
    let stage = Stage::new(None);
    let spec = app(&[("cart", &[])]);
    for revision in ["1", "2"] {
        stage.release(&spec, &artifacts(&spec, revision)).await.expect("what was released");
    }
    assert_eq!(stage.cloud.live("cart"), ("2".to_owned(), None));
    stage
}

async fn alias(stage: &Stage) -> AliasState {
    stage
        .cloud
        .get_alias(&name("cart"), &live())
        .await
        .expect("what was released")
        .expect("what was released")
}

fn heal(base: &AliasState, version: u64) -> Heal {
    Heal {
        function: name("cart"),
        lambda_name: name("cart"),
        alias: live(),
        write: Write::Update {
            base: base.clone(),
            version: Some(VersionId(version)),
            description: "healed".to_owned(),
        },
        words: String::new(),
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_judged_is_healed_and_read_back() {
    let stage = stage().await;
    let base = alias(&stage).await;
    let healed = stage.engine().heal(&heal(&base, 1)).await.unwrap();
    assert_eq!((healed.version.as_str(), healed.description.as_str()), ("1", "healed"));
    assert_eq!(alias(&stage).await, healed);
}

#[tokio::test(start_paused = true)]
async fn a_change_that_was_not_seen_is_never_overwritten() {
    let stage = stage().await;
    let base = alias(&stage).await;
    // Somebody is faster, even with the same version: the revision is another one.
    for version in ["1", "2"] {
        stage.cloud.change_by_hand("cart", version);
        let theirs = alias(&stage).await;
        let error = stage.engine().heal(&heal(&base, 1)).await.unwrap_err();
        let HealError::Changed { seen } = error else { panic!("{error:?}") };
        assert_eq!(seen.as_deref(), Some(&theirs));
        assert_eq!(alias(&stage).await, theirs);
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_told_and_leaves_everything() {
    let stage = stage().await;
    let base = alias(&stage).await;
    let error = stage.engine().heal(&heal(&base, 99)).await.unwrap_err();
    assert_eq!(alias(&stage).await, base, "{error:?}");
    assert!(matches!(error, HealError::Refused(_)), "{error:?}");
}
