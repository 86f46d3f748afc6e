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
    insta::assert_snapshot!(at(&Script::first_deploy(), 6, UNICODE, WIDE), @"");
}

#[test]
fn a_canary_going_well() {
    insta::assert_snapshot!(at(&Script::canary(), 230, UNICODE, WIDE), @"");
}

#[test]
fn a_canary_that_is_done() {
    insta::assert_snapshot!(at(&Script::canary(), 600, UNICODE, WIDE), @"");
}

#[test]
fn an_alarm_that_rolls_back() {
    insta::assert_snapshot!(at(&Script::alarm_rolls_back(), 216, UNICODE, WIDE), @"");
    insta::assert_snapshot!(at(&Script::alarm_rolls_back(), 230, UNICODE, WIDE), @"");
}

#[test]
fn stuck() {
    insta::assert_snapshot!(at(&Script::stuck(), 212, UNICODE, WIDE), @"");
}

#[test]
fn contested() {
    insta::assert_snapshot!(at(&Script::contested(), 192, UNICODE, WIDE), @"");
    insta::assert_snapshot!(at(&Script::contested(), 216, UNICODE, WIDE), @"");
}

#[test]
fn plain_ascii() {
    let text = at(&Script::canary(), 230, Style::PLAIN, WIDE);
    assert!(text.is_ascii());
    insta::assert_snapshot!(text, @"");
}

#[test]
fn a_narrow_terminal_cuts_lines() {
    let narrow = Screen { width: 48, height: 50 };
    insta::assert_snapshot!(at(&Script::alarm_rolls_back(), 216, UNICODE, narrow), @"");
}

#[test]
fn a_low_terminal_folds_what_is_settled_or_waits() {
    let low = |height| Screen { width: 100, height };
    insta::assert_snapshot!(at(&Script::canary(), 230, UNICODE, low(14)), @"");
    insta::assert_snapshot!(at(&Script::canary(), 230, UNICODE, low(12)), @"");
    insta::assert_snapshot!(at(&Script::canary(), 230, UNICODE, low(6)), @"");
}

#[test]
fn no_frame_is_larger_than_the_screen() {
    let style = Style { charset: Charset::Unicode, color: Color::Never };
    for records in [Script::first_deploy(), Script::canary(), Script::stuck(), Script::contested()] {
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
        row.split_whitespace().nth(6).unwrap().to_owned()
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
    for records in [Script::canary(), Script::alarm_rolls_back(), Script::stuck(), Script::contested()] {
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
        let mut lines = crate::Lines::new(Vec::new(), UNICODE);
        records.iter().for_each(|record| lines.event(record));
        assert!(above < 12, "{:?}", &terminal.rows[..above]);
        assert!(terminal.rows[..above].iter().all(|line| line.starts_with('[')));
    }
}

#[test]
fn what_matters_stays_in_the_scrollback() {
    let mut tree = Tree::new(Vec::new(), Style::PLAIN, WIDE, 1);
    Script::alarm_rolls_back().iter().for_each(|record| tree.event(record));
    tree.finish();
    let mut terminal = Terminal::default();
    terminal.show(std::str::from_utf8(tree.sink.out()).unwrap());
    let above: Vec<&String> = terminal.rows.iter().take_while(|row| row.starts_with('[')).collect();
    let above: Vec<&str> = above.into_iter().map(String::as_str).collect();
    insta::assert_snapshot!(above.join("\n"), @"");
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
