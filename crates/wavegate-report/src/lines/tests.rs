//! One-line events, as people read them.

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
    insta::assert_snapshot!(lines(&Script::first_deploy(), Style::PLAIN), @r"
    [    0s] shop      release r1 starts on local 000000000000 us-east-1, alias live, by ana@desk; about 12m20s, at worst 23m; wave 1: auth; wave 2: checkout
    [    0s] shop      lock held on auth, epoch 7
    [    1s] auth      uploading 1.2 MB
    [    1s] checkout  version 1 is Pending
    [    3s] auth      first version 1
    [    3s] auth      prepared
    [    4s] checkout  first version 1
    [    4s] checkout  prepared
    [    5s] shop      every alias is claimed: traffic may move
    [    5s] auth      pre_traffic hook smoke runs
    [    8s] auth      pre_traffic hook smoke passed in 2s: 3 checks / all good
    [    8s] auth      promoting to version 1
    [    9s] auth      promotion completed in 4s: first v1
    [   10s] checkout  promoting to version 1
    [   11s] checkout  promotion completed in 1s: first v1
    [   11s] shop      release done after 11s
    ");
}

#[test]
fn a_deployment_of_codedeploy_that_is_stopped() {
    insta::assert_snapshot!(lines(&Script::codedeploy(), Style::PLAIN), @r"
    [    0s] shop  release r48 starts on local 000000000000 us-east-1, alias live, by ana@desk; about 12m20s, at worst 23m; wave 1: shop
    [    0s] shop  lock held on auth, epoch 7
    [    3s] shop  new version 9, to replace 8
    [    4s] shop  prepared
    [    5s] shop  every alias is claimed: traffic may move
    [    5s] shop  starting Canary10Percent5Minutes
    [    6s] shop  CodeDeploy deployment d-1 is Created
    [   21s] shop  CodeDeploy deployment d-1: BeforeAllowTraffic is Succeeded
    [   21s] shop  CodeDeploy deployment d-1: AllowTraffic is InProgress
    [   21s] shop  advance weight 0% -> 10%, for 5m
    [   21s] shop  CodeDeploy deployment d-1 is InProgress
    [ 1m51s] shop  CodeDeploy deployment d-1: AllowTraffic is Failed
    [ 1m51s] shop  CodeDeploy deployment d-1 is Stopped: ALARM_ACTIVE: alarm shop-errors is in ALARM
    [ 1m51s] shop  CodeDeploy rollback d-2 is InProgress
    [ 2m06s] shop  CodeDeploy rollback d-2 is Succeeded
    [ 2m06s] shop  lower weight 10% -> 0%
    [ 2m06s] shop  rolling back, shop failed: CodeDeploy's deployment d-1 was stopped; ALARM_ACTIVE: alarm shop-errors is in ALARM; its rollback d-2 succeeded
    [ 2m06s] shop  rolling back to version 8
    [ 2m07s] shop  put back: serves version 8, read back
    [ 2m10s] shop  release rolled back after 2m10s: CodeDeploy's deployment d-1 was stopped; ALARM_ACTIVE: alarm shop-errors is in ALARM; its rollback d-2 succeeded
    ");
}

#[test]
fn a_canary_that_goes_well() {
    insta::assert_snapshot!(lines(&Script::canary(), Style::PLAIN), @r"
    [    0s] shop      release r42 starts on local 000000000000 us-east-1, alias live, by ana@desk; about 12m20s, at worst 23m; wave 1: auth, search; wave 2: checkout; wave 3: notify; unchanged: cart, catalog
    [    0s] shop      lock held on auth, epoch 7
    [    2s] search    nothing is different: stays on version 3
    [    3s] auth      new version 18, to replace 17
    [    4s] auth      prepared
    [    3s] checkout  new version 9, to replace 8
    [    4s] checkout  prepared
    [    3s] notify    new version 5, to replace 4
    [    4s] notify    prepared
    [    5s] shop      every alias is claimed: traffic may move
    [    5s] notify    held: checkout
    [    5s] auth      starting Canary10Percent5Minutes
    [    6s] auth      advance weight 0% -> 10%, for 1m
    [   20s] auth      alarm errors is ok: Errors 0% <= 1%
    [ 1m16s] auth      promoting to version 18
    [ 1m17s] auth      advance weight 10% -> 100%
    [ 1m17s] auth      baking: alarms are watched for 1m
    [ 2m17s] auth      promotion completed in 2m12s: v17 -> v18
    [ 2m17s] checkout  pre_traffic hook smoke runs
    [ 2m20s] checkout  pre_traffic hook smoke passed in 2s: 12 passed in 2.41s
    [ 2m20s] checkout  starting Canary10Percent5Minutes
    [ 2m21s] checkout  advance weight 0% -> 10%, for 5m
    [ 2m35s] checkout  alarm errors cannot tell: no data yet
    [ 2m40s] checkout  v8 served 341, none failed; v9 served 36, none failed
    [ 2m50s] checkout  alarm errors is ok: Errors 0.4% <= 1% (n=113)
    [ 3m20s] shop      try again: UpdateAlias checkout:live: TooManyRequestsException: Rate exceeded
    [ 7m21s] checkout  promoting to version 9
    [ 7m22s] checkout  advance weight 10% -> 100%
    [ 7m22s] checkout  baking: alarms are watched for 1m
    [ 8m22s] checkout  promotion completed in 6m05s: v8 -> v9
    [ 8m26s] notify    starting Canary10Percent5Minutes
    [ 8m27s] notify    advance weight 0% -> 10%, for 10s
    [ 8m40s] notify    promoting to version 5
    [ 8m41s] notify    advance weight 10% -> 100%
    [ 8m41s] notify    baking: alarms are watched for 1m
    [ 9m41s] notify    promotion completed in 1m15s: v4 -> v5
    [ 9m45s] checkout  v8 served 2712, none failed; v9 served 1604, 2 failed (0.1%); v10 served 1, none failed
    [ 9m46s] auth      old versions deleted: 13, 14
    [ 9m50s] shop      release done after 9m50s
    ");
}

#[test]
fn an_alarm_puts_it_back() {
    let text = lines(&Script::alarm_rolls_back(), Style::PLAIN);
    insta::assert_snapshot!(&text[text.find("[ 3m").unwrap()..], @r"
    [ 3m20s] checkout  v8 served 700, none failed; v9 served 71, 5 failed (7.0%)
    [ 3m35s] checkout  alarm errors is firing: Errors 7% > 1% (n=71)
    [ 3m35s] shop      rolling back, checkout failed: alarm errors of checkout is firing: Errors 7% > 1% (n=71)
    [ 3m36s] checkout  rolling back to version 8
    [ 3m37s] checkout  lower weight 10% -> 0%
    [ 3m37s] checkout  put back: serves version 8, read back
    [ 3m38s] checkout  on_rollback hook page failed after 300ms: exit status 3: pager unreachable
    [ 3m38s] auth      rolling back to version 17
    [ 3m39s] auth      put back: serves version 17, read back
    [ 3m42s] shop      release rolled back after 3m42s: alarm errors of checkout is firing: Errors 7% > 1% (n=71)
    ");
}

#[test]
fn a_pause_is_told_with_what_it_waits_for_and_who_ended_it() {
    let text = lines(&Script::approval(), Style::PLAIN);
    insta::assert_snapshot!(&text[text.find("[ 7m").unwrap()..], @r"
    [ 7m21s] checkout  waits for an approval: product looks (within 2h, else it goes back)
    [15m00s] checkout  approved by ana@desk: goes on
    ");
}

#[test]
fn stuck() {
    let text = lines(&Script::stuck(), Style::PLAIN);
    insta::assert_snapshot!(&text[text.find("[ 3m").unwrap()..], @r"
    [ 3m20s] shop      blind: GetMetricData: AccessDenied
    [ 3m30s] shop      rolling back, checkout failed: alarms of checkout could not be read for 10m
    [ 3m30s] checkout  rolling back to version 8
    [ 3m31s] checkout  stuck: UpdateAlias: AccessDeniedException: not authorized; to do: checkout (AccessDeniedException): to put it back, run: aws lambda update-alias --function-name checkout --name live --function-version 8 --routing-config 'AdditionalVersionWeights={}'
    [ 3m31s] auth      rolling back to version 17
    [ 3m32s] auth      put back: serves version 17, read back
    [ 3m33s] shop      release stuck (a person is needed) after 3m33s: alarms of checkout could not be read for 10m; to do: checkout (AccessDeniedException): to put it back, run: aws lambda update-alias --function-name checkout --name live --function-version 8 --routing-config 'AdditionalVersionWeights={}'
    ");
}

#[test]
fn contested() {
    let text = lines(&Script::contested(), Style::PLAIN);
    insta::assert_snapshot!(&text[text.find("[ 3m").unwrap()..], @r"
    [ 3m00s] checkout  its alias was rewritten by somebody without a change: the bake begins again
    [ 3m10s] checkout  its alias may have been changed by somebody else, looking again: it serves version 8 and 50% on version 9
    [ 3m35s] checkout  its alias was changed by somebody else, hands off: it serves version 8 and 50% on version 9
    [ 3m35s] shop      rolling back, checkout failed: somebody else changed alias live of checkout: it serves version 8 and 50% on version 9
    [ 3m35s] auth      rolling back to version 17
    [ 3m36s] auth      put back: serves version 17, read back
    [ 3m37s] shop      release stuck (a person is needed) after 3m37s: somebody else changed alias live of checkout: it serves version 8 and 50% on version 9; to do: checkout (somebody else changed it: it serves version 8 and 50% on version 9): to put it back, run: aws lambda update-alias --function-name checkout --name live --function-version 8 --routing-config 'AdditionalVersionWeights={}'
    ");
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
    for records in
        [Script::canary(), Script::alarm_rolls_back(), Script::stuck(), Script::contested()]
    {
        for record in &records {
            assert!(lines(std::slice::from_ref(record), Style::PLAIN).lines().count() <= 1);
        }
    }
}

#[test]
fn traffic_is_told_once_a_minute_and_when_a_version_first_fails() {
    let mut script = Script::new("shop", 1);
    script.phase(0, "auth", "waiting", "pre_traffic");
    for (second, errors) in [(0, 0), (1, 0), (59, 0), (60, 0), (61, 1), (62, 2), (121, 2)] {
        script.traffic(second, "auth", &[("1", second * 10, errors)]);
    }
    let text = lines(&script.records, Style::PLAIN);
    let served = text.lines().filter(|line| line.contains("served"));
    let times: Vec<&str> = served.map(|line| line[1..7].trim()).collect();
    assert_eq!(times, ["0s", "1m00s", "1m01s", "2m01s"]);
}

#[test]
fn what_does_not_change_is_told_about_only_when_it_fails() {
    let mut script = Script::new("shop", 1);
    script.traffic(0, "cart", &[("1", 10, 0)]);
    script.traffic(90, "cart", &[("1", 20, 0)]);
    assert_eq!(lines(&script.records, Style::PLAIN), "");
    script.traffic(100, "cart", &[("1", 30, 3)]);
    assert_eq!(lines(&script.records, Style::PLAIN).lines().count(), 1);
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
