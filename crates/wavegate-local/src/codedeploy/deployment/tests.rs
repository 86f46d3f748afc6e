//! Laws of the state machine, for any order of inputs.

use proptest::prelude::*;

use super::*;

fn deployment(routing: Routing, hooks: [bool; 2], is_watched: bool) -> Deployment {
    let hook = |is_there: bool| is_there.then(|| "hook".to_owned());
    let all = [RollbackEvent::Failure, RollbackEvent::StopOnAlarm, RollbackEvent::StopOnRequest];
    Deployment {
        id: "d-000000000".into(),
        number: 0,
        application: "app".into(),
        group: "group".into(),
        group_id: "id".into(),
        config: "config".into(),
        routing,
        revision: Revision {
            source: Source::AppSpecContent,
            content: String::new(),
            sha256: String::new(),
        },
        previous: None,
        spec: Some(AppSpec {
            function: "shop".into(),
            alias: "live".into(),
            current: "1".into(),
            target: "2".into(),
            before: hook(hooks[0]),
            after: hook(hooks[1]),
        }),
        executions: ["before".into(), "after".into()],
        description: String::new(),
        creator: Creator::User,
        rollback: AutoRollback { enabled: true, events: all.into() },
        watch: Watch { enabled: is_watched, alarms: vec!["red".into()], ..Watch::default() },
        has_own_watch: false,
        created_ms: 0,
        started_ms: None,
        ended_ms: None,
        updated_ms: 0,
        phase: Phase::Created { start_ms: START_MS },
        has_begun: false,
        weight: 0,
        lifecycle: Lifecycle::default(),
        failure: None,
        rolled_back_by: None,
        rolls_back: None,
    }
}

/// What may happen next.
#[derive(Debug, Clone, Copy)]
enum Happening {
    Pass(i64),
    Red,
    Hook(Verdict),
    Unasked,
    Moved,
    Refused,
    Stop(Option<bool>),
}

fn happening() -> impl Strategy<Value = Happening> {
    let wish = proptest::option::of(any::<bool>());
    prop_oneof![
        6 => (0_i64..1_200_000).prop_map(Happening::Pass),
        1 => Just(Happening::Red),
        3 => Just(Happening::Hook(Verdict::Succeeded)),
        1 => Just(Happening::Hook(Verdict::Failed)),
        1 => Just(Happening::Unasked),
        3 => Just(Happening::Moved),
        1 => Just(Happening::Refused),
        1 => wish.prop_map(Happening::Stop),
    ]
}

fn routing() -> impl Strategy<Value = Routing> {
    prop_oneof![
        Just(Routing::AllAtOnce),
        (1_i64..100, 1_i64..60)
            .prop_map(|(percent, minutes)| Routing::canary(percent, minutes).unwrap()),
        (10_i64..100, 1_i64..60)
            .prop_map(|(percent, minutes)| Routing::linear(percent, minutes).unwrap()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn whatever_happens_every_law_holds(
        routing in routing(),
        hooks in any::<[bool; 2]>(),
        is_watched in any::<bool>(),
        story in proptest::collection::vec(happening(), 0..60),
    ) {
        let mut it = deployment(routing, hooks, is_watched);
        let mut alarms = BTreeMap::from([("red".to_owned(), AlarmState::Ok)]);
        let mut alias = ("1".to_owned(), None::<(String, f64)>);
        let (mut now, mut shifted_at, mut rollbacks) = (0_i64, None::<i64>, 0);
        for happening in story {
            let before = it.clone();
            let world = World {
                belongs: Belongs::There,
                alias: Alias::Routes { main: alias.0.clone(), additional: alias.1.clone(), settles_ms: None },
                absent: Vec::new(),
                alarms: &alarms,
            };
            let input = match happening {
                Happening::Pass(ms) => { now += ms; Input::Time(&world) }
                Happening::Red => { alarms.insert("red".into(), AlarmState::Alarm); continue }
                Happening::Hook(verdict) => Input::Hooked(verdict),
                Happening::Unasked => Input::Unasked("no".into()),
                Happening::Moved => Input::Moved,
                Happening::Refused => Input::Refused("no".into()),
                Happening::Stop(rolls_back) => Input::Stop { rolls_back },
            };
            let Ok(effects) = it.step(now, input) else {
                prop_assert_eq!(&it, &before, "what is illegal changes nothing");
                continue;
            };
            prop_assert!(!before.is_over(), "what is over takes nothing in");
            prop_assert_eq!(it.is_over(), it.ended_ms.is_some());
            prop_assert!(it.weight >= before.weight, "weights only grow");
            for effect in effects {
                match effect {
                    Effect::Ask(event) => prop_assert_eq!(it.asked(), Some(event)),
                    Effect::RollBack => {
                        rollbacks += 1;
                        prop_assert!(it.has_begun && matches!(it.phase, Phase::Failed | Phase::Stopped));
                    }
                    Effect::Route { main, additional } => {
                        let is_red = alarms["red"] == AlarmState::Alarm;
                        prop_assert!(!(is_watched && is_red), "a firing alarm never shifts");
                        if let Some(last) = shifted_at {
                            prop_assert!(now - last >= routing.pause_ms(), "no interval is shortened");
                        }
                        shifted_at = Some(now);
                        alias = (main, additional.map(|(v, w)| (v, f64::from(w) / 100.0)));
                    }
                }
            }
            if it.phase == Phase::Succeeded {
                prop_assert_eq!(&alias, &("2".to_owned(), None));
                prop_assert_eq!(it.weight, 100);
            }
        }
        prop_assert!(rollbacks <= 1);
    }

    #[test]
    fn what_is_left_alone_succeeds_when_it_says(routing in routing()) {
        let mut it = deployment(routing, [false, false], false);
        let alarms = BTreeMap::new();
        let mut alias = ("1".to_owned(), None);
        let mut shifts = Vec::new();
        while let Some(now) = it.due_ms() {
            let world = World {
                belongs: Belongs::There,
                alias: Alias::Routes { main: alias.0.clone(), additional: alias.1.clone(), settles_ms: None },
                absent: Vec::new(),
                alarms: &alarms,
            };
            for effect in it.step(now, Input::Time(&world)).unwrap() {
                let Effect::Route { main, additional } = effect else { panic!("{effect:?}") };
                alias = (main, additional.map(|(version, weight)| (version, f64::from(weight) / 100.0)));
                shifts.push(now);
                it.step(now, Input::Moved).unwrap();
            }
        }
        prop_assert_eq!(&it.phase, &Phase::Succeeded);
        prop_assert_eq!(shifts[0], START_MS);
        prop_assert!(shifts.windows(2).all(|pair| pair[1] - pair[0] == routing.pause_ms()));
    }
}

#[test]
fn an_illegal_input_names_both_sides() {
    let mut it = deployment(Routing::AllAtOnce, [false, false], false);
    let illegal = it.step(0, Input::Moved).unwrap_err();
    let text = illegal.to_string();
    assert!(text.contains("Created") && text.contains("written alias"), "{text}");
}
