//! What the engine makes of CodeDeploy, whatever comes in between.

mod fake;
mod following;
mod halting;
mod making;

use std::sync::Arc;
use std::time::Duration;

pub(crate) use fake::Fake;
use fake::{Course, Failure};
use wavegate_core::codedeploy::{Group, Routing};
use wavegate_core::name::{ReleaseId, VersionId};
use wavegate_core::plan::{Action, Delegation};
use wavegate_core::release::{Effect, Input, Release, Runner};

use crate::event::Event;
use crate::run::tests::{a_run, name, passing, stage};
use crate::run::{Driver, Told, perform};

const TAG: &str = "wavegate1:0000000000001:auth:18";

/// A driver whose plan hands `auth` to CodeDeploy, and that CodeDeploy.
struct Bench {
    driver: Driver,
    fake: Arc<Fake>,
}

fn own_group() -> Group {
    Group {
        application: "shop".to_owned(),
        name: "auth".to_owned(),
        is_own: true,
        role: Some("arn:role".to_owned()),
        ..Group::default()
    }
}

fn bench() -> Bench {
    bench_with(Some(own_group()))
}

fn bench_with(group: Option<Group>) -> Bench {
    let stage = stage(passing());
    let mut plan = stage.plan;
    let function = plan.functions.get_mut(&name()).unwrap();
    function.action = Action::Update { stable: VersionId(17) };
    let routing = Routing::Canary { percent: 10, minutes: 7 };
    function.delegation = group.map(|group| Delegation { group, routing });
    let runner = Runner { release: ReleaseId(1), owner: "ana".to_owned(), seed: 1 };
    let machine = Release::new(plan.clone(), runner);
    let (run, _events, _orders) = a_run();
    let driver = Driver::new(&stage.engine, plan, machine, ReleaseId(1), run);
    Bench { driver, fake: stage.deployments }
}

impl Bench {
    fn delegate(&mut self) {
        let effect = Effect::Delegate { function: name(), ask: 3, candidate: VersionId(18) };
        perform::perform(&self.driver.context, &mut self.driver.tasks, effect);
    }

    fn halt(&mut self) {
        let effect = Effect::Halt { function: name() };
        perform::perform(&self.driver.context, &mut self.driver.tasks, effect);
    }

    /// What was told until an answer came: events, the answer, and how long it took.
    async fn answer(&mut self) -> (Vec<Event>, Result<(), String>, Duration) {
        let began_ms = self.driver.context.now_ms();
        let mut events = Vec::new();
        loop {
            let result = match self.driver.told.recv().await.unwrap() {
                Told::Event(event) => {
                    events.push(event);
                    continue;
                }
                Told::Input(Input::Delegated { function, ask, result }) => {
                    assert_eq!((function, ask), (name(), 3));
                    result
                }
                Told::Input(Input::Halted { function, result }) => {
                    assert_eq!(function, name());
                    result
                }
                Told::Input(other) => panic!("{other:?}"),
            };
            let took = self.driver.context.now_ms() - began_ms;
            return (events, result, Duration::from_millis(took));
        }
    }

    fn calls(&self, operation: &str) -> usize {
        self.fake.state().calls.iter().filter(|call| **call == operation).count()
    }

    async fn pause(&self, span: Duration) {
        self.driver.context.pause(span).await;
    }
}

/// The statuses of a step, in order.
fn statuses<'a>(events: &'a [Event], of: &str) -> Vec<&'a str> {
    let statuses = events.iter().filter_map(|event| match event {
        Event::Deployment { step, status, .. } if step == of => Some(status.as_str()),
        _ => None,
    });
    statuses.collect()
}

/// A course that fails at once, and is put back.
fn failing(late: Duration, takes: Duration) -> Course {
    Course { takes: Duration::ZERO, status: "Failed", rollback: Some((late, takes)) }
}

fn stoppable(rollback: (Duration, Duration)) -> Course {
    Course { takes: Duration::from_hours(10), status: "Succeeded", rollback: Some(rollback) }
}
