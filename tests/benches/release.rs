//! A release of a thousand functions under virtual time, and planning ten thousand.

use std::collections::BTreeMap;

use wavegate_core::inventory::Inventory;
use wavegate_core::plan::{Facts, Outline, plan};
use wavegate_tests::app::{artifacts, layered};
use wavegate_tests::model::Stage;

fn main() {
    divan::main();
}

/// A canary of a thousand functions in ten layers, from the first look to the last proof.
#[divan::bench(sample_count = 5, sample_size = 1)]
fn a_release_of_1000_functions(bencher: divan::Bencher<'_, '_>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    bencher.bench_local(|| {
        runtime.block_on(async {
            let mut spec = layered(1_000, 100);
            spec.max_parallel = 1_000;
            let stage = Stage::new(None);
            stage.release(&spec, &artifacts(&spec, "1")).await;
            stage.release(&spec, &artifacts(&spec, "2")).await
        })
    });
}

/// The graph and the plan of ten thousand functions.
#[divan::bench(sample_count = 20, sample_size = 1)]
fn a_plan_of_10000_functions(bencher: divan::Bencher<'_, '_>) {
    let spec = layered(10_000, 500);
    let packaged = artifacts(&spec, "1");
    let outlines = spec.functions.keys().map(|name| (name.clone(), Outline::default())).collect();
    let (inventory, alarms) = (Inventory::default(), BTreeMap::new());
    bencher.bench_local(|| {
        plan(Facts {
            spec: &spec,
            inventory: &inventory,
            artifacts: &packaged,
            outlines: &outlines,
            alarms: &alarms,
            only: None,
        })
    });
}
