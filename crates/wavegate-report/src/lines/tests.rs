use wavegate_engine::event::Event;

use super::*;
use crate::script::{Full, Script};
use crate::style::{Charset, Color};

fn lines(records: &[Record], style: Style) -> String {
    let mut lines = Lines::new(Vec::new(), style);
    for record in records {
        lines.event(record);
        lines.tick(record.at_ms);
    }
    lines.finish();
    assert!(lines.error().is_none());
    String::from_utf8(lines.sink.out().clone()).unwrap()
}

#[test]
fn a_first_deploy() {
    insta::assert_snapshot!(lines(&Script::first_deploy(), Style::PLAIN), @"");
}

#[test]
fn a_canary_that_goes_well() {
    insta::assert_snapshot!(lines(&Script::canary(), Style::PLAIN), @"");
}

#[test]
fn an_alarm_puts_it_back() {
    let text = lines(&Script::alarm_rolls_back(), Style::PLAIN);
    let tail = text.split_once("18, v9").map_or(text.as_str(), |(_, tail)| tail);
    insta::assert_snapshot!(&tail[tail.find("[ 3m").unwrap()..], @"");
}

#[test]
fn stuck() {
    let text = lines(&Script::stuck(), Style::PLAIN);
    insta::assert_snapshot!(&text[text.find("[ 3m").unwrap()..], @"");
}

#[test]
fn contested() {
    let text = lines(&Script::contested(), Style::PLAIN);
    insta::assert_snapshot!(&text[text.find("[ 3m").unwrap()..], @"");
}

#[test]
fn colour_repeats_what_words_say() {
    let style = Style { charset: Charset::Unicode, color: Color::Always };
    let records = Script::alarm_rolls_back();
    let colored = lines(&records, style);
    assert!(colored.contains("\x1b[31m"), "bad news is red");
    let plain = lines(&records, Style { color: Color::Never, ..style });
    assert_eq!(crate::safe_text(&colored), crate::safe_text(&plain));
}

#[test]
fn every_event_is_at_most_one_line() {
    for records in [Script::canary(), Script::alarm_rolls_back(), Script::stuck(), Script::contested()] {
        for record in &records {
            assert!(lines(std::slice::from_ref(record), Style::PLAIN).lines().count() <= 1);
        }
    }
}

#[test]
fn traffic_is_told_once_a_minute_and_when_a_version_first_fails() {
    let mut script = Script::new("shop", 1);
    for (second, errors) in [(0, 0), (1, 0), (59, 0), (60, 0), (61, 1), (62, 2), (121, 2)] {
        script.traffic(second, "auth", &[("1", second * 10, errors)]);
    }
    let text = lines(&script.records, Style::PLAIN);
    let times: Vec<&str> = text.lines().map(|line| line[1..7].trim()).collect();
    assert_eq!(times, ["0s", "1m00s", "1m01s", "2m01s"]);
}

#[test]
fn text_from_outside_cannot_move_the_cursor() {
    let mut script = Script::new("shop", 1);
    script.alarm(1, "a\x1b[2Jb", "firing", "x\r\n\x1b]0;owned\x07\u{9b}2K");
    script.at(2, Event::Note { text: "\x1b[1A".repeat(9) });
    let text = lines(&script.records, Style::PLAIN);
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
    assert_eq!(text.lines().count(), 2);
}

#[test]
fn a_broken_pipe_is_remembered_and_never_panics() {
    let mut lines = Lines::new(Full::after(200), Style::PLAIN);
    for record in &Script::canary() {
        lines.event(record);
    }
    assert_eq!(lines.error().unwrap().kind(), io::ErrorKind::StorageFull);
    assert_eq!(lines.sink.out().tries_after_failure, 0);
}
