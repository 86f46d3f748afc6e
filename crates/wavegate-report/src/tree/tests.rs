//! The live tree, frame by frame.

use super::*;
use crate::script::{Full, Script};
use crate::style::{Charset, Color};

const UNICODE: Style = Style { charset: Charset::Unicode, color: Color::Never };
const WIDE: Screen = Screen { width: 120, height: 50 };

/// The frame after the events up to a second.
fn at(records: &[Record], second: u64, style: Style, screen: Screen) -> String {
    let seen: Vec<&Record> = records.iter().filter(|r| r.elapsed_ms <= second * 1000).collect();
    let now = records[0].at_ms + second * 1000;
    frame(&State::of(seen), now, style, screen).join("\n")
}

#[test]
fn a_first_deploy() {
    insta::assert_snapshot!(at(&Script::first_deploy(), 6, UNICODE, WIDE), @r"
    Release:  shop r1  started 12:00:00Z  elapsed 6s  worst case 23m  on local 000000000000 us-east-1 by ana@desk
    Status:   ◌ Moving traffic  0/2 done

    NAME                      STATUS          SET     ACTUAL  BAKE    INFO
    shop                                                              alias live
    ├── wave 1
    │   └── auth              ◌ Pre-traffic                           first v1
    │       ├── hook smoke    ◌ Running                               pre_traffic
    │       └── alarm errors  ◷ Not read yet
    └── wave 2
        └── checkout          ◷ Waiting                               first v1  needs auth
    ");
}

#[test]
fn a_canary_going_well() {
    insta::assert_snapshot!(at(&Script::canary(), 230, UNICODE, WIDE), @r"
    Release:  shop r42  started 12:00:00Z  elapsed 3m50s  worst case 23m  on local 000000000000 us-east-1 by ana@desk
    Status:   ◌ Moving traffic  2/4 done

    NAME                      STATUS          SET     ACTUAL  BAKE    INFO
    shop                                                              alias live
    ├── wave 1
    │   ├── auth              ✔ Promoted      100%    100%            v17 -> v18  in 2m12s
    │   └── search            = Unchanged                             v3
    ├── wave 2
    │   └── checkout          ◌ Shifting      10%     10%     3m31s   v8 -> v9  v9 served 36, none failed
    │       ├── hook smoke    ✔ Passed                                pre_traffic  2s  12 passed in 2.41s
    │       └── alarm errors  ✔ OK                                    Errors 0.4% <= 1% (n=113)
    ├── wave 3
    │   └── notify            ◷ Waiting                               v4 -> v5  needs checkout
    └── unchanged             = 2 kept                                cart, catalog
    ");
}

#[test]
fn a_pause_stands_in_the_tree_until_a_person_has_ended_it() {
    let line = |second| {
        let text = at(&Script::approval(), second, UNICODE, WIDE);
        text.lines().find(|line| line.contains("checkout  ")).unwrap().to_owned()
    };
    insta::assert_snapshot!(line(500), @"│   └── checkout          ‖ Paused        10%     10%     0s      v8 -> v9  to approve: product looks (within 2h, else …");
    insta::assert_snapshot!(line(900), @"│   └── checkout          ◌ Shifting      10%     10%     0s      v8 -> v9  v9 served 36, none failed");
}

#[test]
fn a_canary_that_is_done() {
    insta::assert_snapshot!(at(&Script::canary(), 600, UNICODE, WIDE), @r"
    Release:  shop r42  started 12:00:00Z  elapsed 9m50s  on local 000000000000 us-east-1 by ana@desk
    Status:   ✔ Done  4/4 done

    NAME              STATUS          SET     ACTUAL  BAKE    INFO
    shop                                                      alias live
    ├── wave 1
    │   ├── auth      ✔ Promoted      100%    100%            v17 -> v18  in 2m12s
    │   └── search    = Unchanged                             v3
    ├── wave 2
    │   └── checkout  ✔ Promoted      100%    100%            v8 -> v9  in 6m05s
    ├── wave 3
    │   └── notify    ✔ Promoted      100%    100%            v4 -> v5  in 1m15s
    └── unchanged     = 2 kept                                cart, catalog
    ");
}

#[test]
fn a_deployment_of_codedeploy_shows_its_step_and_the_share_that_it_moved() {
    insta::assert_snapshot!(at(&Script::codedeploy(), 100, UNICODE, WIDE), @r"
    Release:  shop r48  started 12:00:00Z  elapsed 1m40s  worst case 23m  on local 000000000000 us-east-1 by ana@desk
    Status:   ◌ Moving traffic  0/1 done

    NAME                        STATUS          SET     ACTUAL  BAKE    INFO
    shop                                                                alias live
    └── wave 1
        └── shop                ◌ Shifting      10%     10%     3m41s   v8 -> v9
            ├── deployment d-1  ◌ Running                               AllowTraffic InProgress
            └── alarm errors    ◷ Not read yet
    ");
    insta::assert_snapshot!(at(&Script::codedeploy(), 112, UNICODE, WIDE), @r"
    Release:  shop r48  started 12:00:00Z  elapsed 1m52s  worst case 23m  on local 000000000000 us-east-1 by ana@desk
    Status:   ◌ Moving traffic  0/1 done

    NAME                        STATUS          SET     ACTUAL  BAKE    INFO
    shop                                                                alias live
    └── wave 1
        └── shop                ◌ Shifting      10%     10%     3m29s   v8 -> v9
            ├── deployment d-1  ✖ Stopped                               AllowTraffic Failed  ALARM_ACTIVE: alarm shop-error…
            ├── rollback d-2    ◌ Running
            └── alarm errors    ◷ Not read yet
    ");
}

#[test]
fn an_alarm_that_rolls_back() {
    insta::assert_snapshot!(at(&Script::alarm_rolls_back(), 216, UNICODE, WIDE), @r"
    Release:  shop r43  started 12:00:00Z  elapsed 3m36s  worst case 23m  on local 000000000000 us-east-1 by ana@desk
    Status:   ⚠ Rolling back  alarm errors of checkout is firing: Errors 7% > 1% (n=71)

    NAME                      STATUS          SET     ACTUAL  BAKE    INFO
    shop                                                              alias live
    ├── wave 1
    │   ├── auth              ✔ Promoted      100%    100%            v17 -> v18  in 2m12s
    │   └── search            = Unchanged                             v3
    ├── wave 2
    │   └── checkout          ⚠ Rolling back  10%     10%             v8 -> v9  v9 served 71, 5 failed (7.0%)
    │       ├── hook smoke    ✔ Passed                                pre_traffic  2s  12 passed in 2.41s
    │       └── alarm errors  ✖ Firing                                Errors 7% > 1% (n=71)
    ├── wave 3
    │   └── notify            ◷ Waiting                               v4 -> v5  needs checkout
    └── unchanged             = 2 kept                                cart, catalog
    ");
    insta::assert_snapshot!(at(&Script::alarm_rolls_back(), 230, UNICODE, WIDE), @r"
    Release:  shop r43  started 12:00:00Z  elapsed 3m42s  on local 000000000000 us-east-1 by ana@desk
    Status:   ✖ Rolled back  alarm errors of checkout is firing: Errors 7% > 1% (n=71)

    NAME                      STATUS          SET     ACTUAL  BAKE    INFO
    shop                                                              alias live
    ├── wave 1
    │   ├── auth              • Rolled back   0%      0%              v17 -> v18  serves v17
    │   └── search            = Unchanged                             v3
    ├── wave 2
    │   └── checkout          ✖ Rolled back   0%      0%              v8 -> v9  serves v8
    │       ├── hook page     ✖ Failed                                on_rollback  300ms  exit status 3: pager unreachable
    │       └── alarm errors  ✖ Firing                                Errors 7% > 1% (n=71)
    ├── wave 3
    │   └── notify            • Rolled back                           v4 -> v5  never moved
    └── unchanged             = 2 kept                                cart, catalog
    ");
}

#[test]
fn stuck() {
    insta::assert_snapshot!(at(&Script::stuck(), 212, UNICODE, WIDE), @r"
    Release:  shop r44  started 12:00:00Z  elapsed 3m32s  worst case 23m  on local 000000000000 us-east-1 by ana@desk
    Status:   ⚠ Rolling back  alarms of checkout could not be read for 10m
    Watch:    ? Blind  GetMetricData: AccessDenied

    NAME                      STATUS          SET     ACTUAL  BAKE    INFO
    shop                                                              alias live
    ├── wave 1
    │   ├── auth              • Rolled back   0%      0%              v17 -> v18  serves v17
    │   └── search            = Unchanged                             v3
    ├── wave 2
    │   └── checkout          ✖ Stuck         10%     10%             v8 -> v9  UpdateAlias: AccessDeniedException: not aut…
    │       ├── hook smoke    ✔ Passed                                pre_traffic  2s  12 passed in 2.41s
    │       └── alarm errors  ✔ OK                                    Errors 0.4% <= 1% (n=113)
    ├── wave 3
    │   └── notify            • Rolled back                           v4 -> v5  never moved
    └── unchanged             = 2 kept                                cart, catalog
    ");
}

#[test]
fn contested() {
    insta::assert_snapshot!(at(&Script::contested(), 192, UNICODE, WIDE), @r"
    Release:  shop r45  started 12:00:00Z  elapsed 3m12s  worst case 23m  on local 000000000000 us-east-1 by ana@desk
    Status:   ◌ Moving traffic  2/4 done

    NAME                      STATUS          SET     ACTUAL  BAKE    INFO
    shop                                                              alias live
    ├── wave 1
    │   ├── auth              ✔ Promoted      100%    100%            v17 -> v18  in 2m12s
    │   └── search            = Unchanged                             v3
    ├── wave 2
    │   └── checkout          ⚠ Looking again 10%     10%     4m48s   v8 -> v9  it serves version 8 and 50% on version 9  v…
    │       ├── hook smoke    ✔ Passed                                pre_traffic  2s  12 passed in 2.41s
    │       └── alarm errors  ✔ OK                                    Errors 0.4% <= 1% (n=113)
    ├── wave 3
    │   └── notify            ◷ Waiting                               v4 -> v5  needs checkout
    └── unchanged             = 2 kept                                cart, catalog
    ");
    insta::assert_snapshot!(at(&Script::contested(), 216, UNICODE, WIDE), @r"
    Release:  shop r45  started 12:00:00Z  elapsed 3m36s  worst case 23m  on local 000000000000 us-east-1 by ana@desk
    Status:   ⚠ Rolling back  somebody else changed alias live of checkout: it serves version 8 and 50% on version 9

    NAME                      STATUS          SET     ACTUAL  BAKE    INFO
    shop                                                              alias live
    ├── wave 1
    │   ├── auth              • Rolled back   0%      0%              v17 -> v18  serves v17
    │   └── search            = Unchanged                             v3
    ├── wave 2
    │   └── checkout          ✖ Contested     10%     10%             v8 -> v9  it serves version 8 and 50% on version 9
    │       ├── hook smoke    ✔ Passed                                pre_traffic  2s  12 passed in 2.41s
    │       └── alarm errors  ✔ OK                                    Errors 0.4% <= 1% (n=113)
    ├── wave 3
    │   └── notify            • Rolled back                           v4 -> v5  never moved
    └── unchanged             = 2 kept                                cart, catalog
    ");
}

#[test]
fn plain_ascii() {
    let text = at(&Script::canary(), 230, Style::PLAIN, WIDE);
    assert!(text.is_ascii());
    insta::assert_snapshot!(text, @r"
    Release:  shop r42  started 12:00:00Z  elapsed 3m50s  worst case 23m  on local 000000000000 us-east-1 by ana@desk
    Status:   * Moving traffic  2/4 done

    NAME                      STATUS          SET     ACTUAL  BAKE    INFO
    shop                                                              alias live
    |-- wave 1
    |   |-- auth              + Promoted      100%    100%            v17 -> v18  in 2m12s
    |   `-- search            = Unchanged                             v3
    |-- wave 2
    |   `-- checkout          * Shifting      10%     10%     3m31s   v8 -> v9  v9 served 36, none failed
    |       |-- hook smoke    + Passed                                pre_traffic  2s  12 passed in 2.41s
    |       `-- alarm errors  + OK                                    Errors 0.4% <= 1% (n=113)
    |-- wave 3
    |   `-- notify            . Waiting                               v4 -> v5  needs checkout
    `-- unchanged             = 2 kept                                cart, catalog
    ");
}

#[test]
fn a_narrow_terminal_cuts_lines() {
    let narrow = Screen { width: 48, height: 50 };
    insta::assert_snapshot!(at(&Script::alarm_rolls_back(), 216, UNICODE, narrow), @r"
    Release:  shop r43  started 12:00:00Z  elapsed …
    Status:   ⚠ Rolling back  alarm errors of check…

    NAME                      STATUS          SET  …
    shop                                           …
    ├── wave 1
    │   ├── auth              ✔ Promoted      100% …
    │   └── search            = Unchanged          …
    ├── wave 2
    │   └── checkout          ⚠ Rolling back  10%  …
    │       ├── hook smoke    ✔ Passed             …
    │       └── alarm errors  ✖ Firing             …
    ├── wave 3
    │   └── notify            ◷ Waiting            …
    └── unchanged             = 2 kept             …
    ");
}

#[test]
fn a_low_terminal_folds_what_is_settled_or_waits() {
    let low = |height| Screen { width: 100, height };
    insta::assert_snapshot!(at(&Script::canary(), 230, UNICODE, low(14)), @r"
    Release:  shop r42  started 12:00:00Z  elapsed 3m50s  worst case 23m  on local 000000000000 us-east…
    Status:   ◌ Moving traffic  2/4 done

    NAME              STATUS          SET     ACTUAL  BAKE    INFO
    shop                                                      alias live
    ├── wave 1
    │   ├── auth      ✔ Promoted      100%    100%            v17 -> v18  in 2m12s
    │   └── search    = Unchanged                             v3
    ├── wave 2
    │   └── checkout  ◌ Shifting      10%     10%     3m31s   v8 -> v9  v9 served 36, none failed
    ├── wave 3
    │   └── notify    ◷ Waiting                               v4 -> v5  needs checkout
    └── unchanged     = 2 kept                                cart, catalog
    ");
    insta::assert_snapshot!(at(&Script::canary(), 230, UNICODE, low(12)), @r"
    Release:  shop r42  started 12:00:00Z  elapsed 3m50s  worst case 23m  on local 000000000000 us-east…
    Status:   ◌ Moving traffic  2/4 done

    NAME              STATUS          SET     ACTUAL  BAKE    INFO
    shop                                                      alias live
    ├── wave 1        ✔ 2 done
    ├── wave 2
    │   └── checkout  ◌ Shifting      10%     10%     3m31s   v8 -> v9  v9 served 36, none failed
    ├── wave 3        ◷ 1 waiting
    └── unchanged     = 2 kept                                cart, catalog
    ");
    insta::assert_snapshot!(at(&Script::canary(), 230, UNICODE, low(6)), @r"
    Release:  shop r42  started 12:00:00Z  elapsed 3m50s  worst case 23m  on local 000000000000 us-east…
    Status:   ◌ Moving traffic  2/4 done

    NAME              STATUS          SET     ACTUAL  BAKE    INFO
    ... 6 more lines
    ");
}

#[test]
fn no_frame_is_larger_than_the_screen() {
    let style = Style { charset: Charset::Unicode, color: Color::Never };
    for records in [Script::first_deploy(), Script::canary(), Script::stuck(), Script::contested()]
    {
        for end in 0..=records.len() {
            let state = State::of(&records[..end]);
            for (width, height) in [(0, 0), (1, 1), (20, 5), (80, 10), (200, 60)] {
                let frame = frame(&state, state.now_ms, style, Screen { width, height });
                assert!(frame.len() <= height.saturating_sub(1).max(1));
                assert!(frame.iter().all(|line| crate::style::width(line) <= width));
            }
        }
    }
}

#[test]
fn the_bake_counts_down() {
    let records = Script::canary();
    let bake = |second| {
        let text = at(&records, second, Style::PLAIN, WIDE);
        let row = text.lines().find(|line| line.contains("checkout  ")).unwrap().to_owned();
        row.split_whitespace().nth(7).unwrap().to_owned()
    };
    assert_eq!(bake(141), "5m00s");
    assert_eq!(bake(200), "4m01s");
    assert_eq!(bake(440), "1s");
}

/// A terminal that knows as much as the painter says.
#[derive(Default)]
struct Terminal {
    rows: Vec<String>,
    row: usize,
}

impl Terminal {
    fn show(&mut self, bytes: &str) {
        let mut rest = bytes;
        while let Some(c) = rest.chars().next() {
            rest = &rest[c.len_utf8()..];
            match c {
                '\n' => self.row += 1,
                '\r' => {}
                '\x1b' => {
                    let end = rest.find(|c: char| c.is_ascii_alphabetic()).unwrap();
                    let number: usize = rest[1..end].parse().unwrap_or(0);
                    match &rest[end..=end] {
                        "A" => self.row = self.row.checked_sub(number).expect("above the screen"),
                        "K" => self.line().clear(),
                        "J" => self.rows.truncate(self.row),
                        other => panic!("unexpected sequence {other}"),
                    }
                    rest = &rest[end + 1..];
                }
                c => self.line().push(c),
            }
        }
    }

    fn line(&mut self) -> &mut String {
        if self.rows.len() <= self.row {
            self.rows.resize(self.row + 1, String::new());
        }
        &mut self.rows[self.row]
    }
}

#[test]
fn what_is_painted_is_the_frame_below_what_matters() {
    for records in
        [Script::canary(), Script::alarm_rolls_back(), Script::stuck(), Script::contested()]
    {
        let mut tree = Tree::new(Vec::new(), UNICODE, WIDE, 1);
        for record in &records {
            tree.event(record);
            tree.tick(record.at_ms + 500);
        }
        tree.finish();
        let mut terminal = Terminal::default();
        terminal.show(std::str::from_utf8(tree.sink.out()).unwrap());
        let frame = frame(tree.state(), u64::MAX, UNICODE, WIDE);
        let above = terminal.rows.len() - frame.len();
        assert_eq!(terminal.rows[above..], frame);
        assert!(above < 12, "{:?}", &terminal.rows[..above]);
        assert!(terminal.rows[..above].iter().all(|line| line.starts_with('[')));
    }
}

#[test]
fn what_matters_stays_in_the_scrollback() {
    let mut tree = Tree::new(Vec::new(), Style::PLAIN, WIDE, 1);
    for record in &Script::alarm_rolls_back() {
        tree.event(record);
    }
    tree.finish();
    let mut terminal = Terminal::default();
    terminal.show(std::str::from_utf8(tree.sink.out()).unwrap());
    let above: Vec<&String> = terminal.rows.iter().take_while(|row| row.starts_with('[')).collect();
    let above: Vec<&str> = above.into_iter().map(String::as_str).collect();
    insta::assert_snapshot!(above.join("\n"), @r"
    [ 3m35s] checkout  alarm errors is firing: Errors 7% > 1% (n=71)
    [ 3m35s] shop      rolling back, checkout failed: alarm errors of checkout is firing: Errors 7% > 1% (n=71)
    [ 3m38s] checkout  on_rollback hook page failed after 300ms: exit status 3: pager unreachable
    ");
}

#[test]
fn it_paints_at_most_ten_times_a_second_and_only_on_change() {
    for scale in [1, 60] {
        let mut tree = Tree::new(Vec::new(), UNICODE, WIDE, scale);
        let records = Script::canary();
        tree.event(&records[0]);
        let first = tree.sink.out().len();
        assert!(first > 0);
        let span = 100 * u64::from(scale);
        // A burst within one frame's time is held back.
        for record in &records[1..4] {
            let mut record = record.clone();
            record.at_ms = records[0].at_ms + span - 1;
            tree.event(&record);
        }
        assert_eq!(tree.sink.out().len(), first);
        tree.tick(records[0].at_ms + span);
        let second = tree.sink.out().len();
        assert!(second > first);
        // Nothing changed: the same second, the same state.
        let now = tree.now_ms / 1000 * 1000;
        tree.tick(now + 1000);
        let third = tree.sink.out().len();
        for _ in 0..100 {
            tree.tick(now + 1000 + 999);
        }
        assert_eq!(tree.sink.out().len(), third);
    }
}

#[test]
fn what_somebody_types_is_painted_over() {
    let mut tree = Tree::new(Vec::new(), UNICODE, WIDE, 1);
    let mut terminal = Terminal::default();
    let mut shown = 0;
    for record in &Script::approval() {
        tree.event(record);
        terminal.show(std::str::from_utf8(&tree.sink.out()[shown..]).unwrap());
        shown = tree.sink.out().len();
        terminal.show("approve\n");
        tree.line_typed();
    }
    tree.finish();
    terminal.show(std::str::from_utf8(&tree.sink.out()[shown..]).unwrap());
    assert!(!terminal.rows.iter().any(|row| row == "approve"), "{:#?}", terminal.rows);
    let heads = terminal.rows.iter().filter(|row| row.starts_with("Release:"));
    assert_eq!(heads.count(), 1, "{:#?}", terminal.rows);
}

#[test]
fn a_terminal_made_narrower_is_painted_anew() {
    let mut painter = Painter::default();
    painter.paint(&[], vec!["x".repeat(100), "short".to_owned()]);
    painter.reflow(40);
    let out = painter.paint(&[], vec!["new".to_owned()]);
    assert_eq!(out, "\r\x1b[4A\x1b[Jnew\n");
    painter.reflow(20);
    assert_eq!(painter.paint(&[], vec!["new".to_owned()]), "\r\x1b[1A\x1b[Knew\n\x1b[J");
}

#[test]
fn a_terminal_that_went_away_is_remembered_and_never_panics() {
    let mut tree = Tree::new(Full::after(500), UNICODE, WIDE, 1);
    for record in &Script::canary() {
        tree.event(record);
    }
    tree.finish();
    assert_eq!(tree.error().unwrap().kind(), io::ErrorKind::StorageFull);
    assert_eq!(tree.sink.out().tries_after_failure, 0);
}

proptest::proptest! {
    /// A recording may be torn, and a newer engine may order events in another way.
    #[test]
    fn events_in_any_order_never_panic(
        picks in proptest::collection::vec((0_usize..60, 0_u64..2_000_000), 0..60),
    ) {
        let scripts = [Script::canary(), Script::stuck(), Script::contested(), Script::alarm_rolls_back()];
        let all: Vec<&Record> = scripts.iter().flatten().collect();
        let mut tree = Tree::new(Vec::new(), UNICODE, Screen::default(), 1);
        let mut lines = crate::Lines::new(Vec::new(), Style::PLAIN);
        for (at, (pick, shift)) in picks.into_iter().enumerate() {
            let mut record = all[(pick * 7 + at) % all.len()].clone();
            record.at_ms = record.at_ms.saturating_sub(shift * 1000);
            tree.event(&record);
            lines.event(&record);
            tree.tick(shift);
        }
        tree.finish();
        crate::summary(tree.state());
    }
}
