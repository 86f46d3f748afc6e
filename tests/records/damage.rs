//! A file that is damaged, of another format, or somebody else's.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use crate::support::{
    alone, deploy, deploy_with_one_warning, file, one_warning, recorded, silently, sql,
};

#[test]
fn records_cut_short_anywhere_cost_no_release() {
    let (project, _cloud) = alone();
    silently(&deploy(&project, "one").expect(0));
    let mut version = 1;
    // Within the header, at a page's edge, in the middle, and one byte short.
    for (at, cut) in
        [1_usize, 15, 16, 99, 100, 511, 4096, 4097, 9000, 16_384].into_iter().enumerate()
    {
        let whole = fs::read(file(&project)).unwrap();
        fs::write(file(&project), &whole[..cut.min(whole.len() - 1)]).unwrap();
        let told = project.run(&["history"]).expect(2);
        assert!(told.has_code("WG650"), "{cut}: {told}");

        version += 1;
        let done = deploy_with_one_warning(&project, version, "WG650");
        let aside = format!("records.db.damaged-{}", at + 1);
        assert!(done.stderr.contains(&aside), "{done}");
        assert!(project.path(&format!(".wavegate/{aside}")).exists());
        assert_eq!(recorded(&project), [version]);
    }
    // Back one release: the aliases tell, whatever was recorded.
    let _ = project.run(&["rollback", "--yes"]).expect(0);
    assert_eq!(project.status().serves("shop"), Some(version - 1));
}

#[test]
fn an_empty_file_is_as_good_as_none() {
    let (project, _cloud) = alone();
    silently(&deploy(&project, "one").expect(0));
    fs::write(file(&project), "").unwrap();
    assert!(recorded(&project).is_empty());
    silently(&deploy(&project, "two").expect(0));
    assert_eq!(recorded(&project), [2]);
}

#[test]
fn a_flipped_bit_costs_no_release_and_is_told() {
    let (project, _cloud) = alone();
    silently(&deploy(&project, "one").expect(0));
    for (version, letter) in (2..=5).zip(0_usize..) {
        let mut bytes = fs::read(file(&project)).unwrap();
        // In the words that tell where it ran: only a checksum notices that.
        let at = bytes.windows(10).position(|w| w == b"local clou").expect("the target");
        bytes[at + letter] ^= 1;
        fs::write(file(&project), &bytes).unwrap();
        let told = project.run(&["show", "r1"]).expect(2);
        assert!(told.has_code("WG650"), "{told}");
        deploy_with_one_warning(&project, version, "WG650");
    }
}

#[test]
fn going_back_is_the_same_with_damaged_records() {
    let (project, _cloud) = alone();
    silently(&deploy(&project, "one").expect(0));
    silently(&deploy(&project, "two").expect(0));
    fs::write(file(&project), "no database at all, and never was one").unwrap();
    // Only what reads records refuses, before anything is touched.
    let refused = project.run(&["rollback", "--to-release", "1", "--yes"]).expect(3);
    assert!(refused.has_code("WG650"), "{refused}");
    assert_eq!(project.status().serves("shop"), Some(2));
    let back = project.run(&["rollback", "--yes", "--output", "json"]).expect(0);
    one_warning(&back, "WG650");
    assert_eq!(project.status().serves("shop"), Some(1));
}

#[test]
fn a_newer_format_is_left_alone_and_told() {
    let (project, _cloud) = alone();
    silently(&deploy(&project, "one").expect(0));
    sql(&project, "pragma user_version = 99");
    let before = fs::read(file(&project)).unwrap();
    for version in 2..=3 {
        deploy_with_one_warning(&project, version, "WG651");
    }
    assert_eq!(fs::read(file(&project)).unwrap(), before);
    let told = project.run(&["history"]).expect(2);
    assert!(told.has_code("WG651") && told.stderr.contains("format 99"), "{told}");
    sql(&project, "pragma user_version = 1");
    assert_eq!(recorded(&project), [1]);
}

#[test]
fn another_program_s_database_is_left_alone_and_told() {
    let (project, _cloud) = alone();
    fs::create_dir_all(project.path(".wavegate")).unwrap();
    sql(&project, "create table bookmark (url text); insert into bookmark values (1);");
    let before = fs::read(file(&project)).unwrap();
    deploy_with_one_warning(&project, 1, "WG652");
    assert_eq!(fs::read(file(&project)).unwrap(), before);
    let told = project.run(&["show", "1"]).expect(2);
    assert!(told.has_code("WG652"), "{told}");
}

#[test]
fn recordings_of_an_earlier_version_are_taken_over() {
    let (project, _cloud) = alone();
    silently(&deploy(&project, "one").expect(0));
    silently(&deploy(&project, "two").expect(0));
    // As the version before wrote them: a file of lines for each release, here a torn one.
    for number in ["1", "2"] {
        let shown = project.run(&["show", number, "--output", "json"]).expect(0);
        let id = shown.events[0]["release"].as_str().unwrap();
        let torn = if number == "1" { "{\"v\":1,\"seq\":99,\"at" } else { "" };
        project.write(
            &format!(".wavegate/releases/{number}-{id}.jsonl"),
            &format!("{}{torn}", shown.stdout),
        );
    }
    let before = project.recordings();
    fs::remove_file(file(&project)).unwrap();
    assert_eq!(recorded(&project), [2, 1]);
    assert_eq!(project.recordings(), before);
    silently(&deploy(&project, "three").expect(0));
    assert_eq!(recorded(&project), [3, 2, 1]);
    let _ = project.run(&["rollback", "--to-release", "1", "--yes"]).expect(0);
    assert_eq!(project.status().serves("shop"), Some(1));
    assert_eq!(fs::read_dir(project.path(".wavegate/releases")).unwrap().count(), 2);
}

#[test]
fn records_that_another_process_locks_delay_no_release_and_are_told() {
    let (project, _cloud) = alone();
    silently(&deploy(&project, "one").expect(0));
    let script = format!(
        "import sqlite3, sys\nc = sqlite3.connect(r'{}', isolation_level=None)\n\
         c.execute('begin exclusive')\nprint('locked', flush=True)\nsys.stdin.read()",
        file(&project).display()
    );
    let mut command = project.command("python3");
    command.args(["-c", &script]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut holder = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(holder.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "locked\n");

    deploy_with_one_warning(&project, 2, "WG654");
    drop(holder.stdin.take());
    assert!(holder.wait().unwrap().success());
    assert_eq!(recorded(&project), [1]);
    silently(&deploy(&project, "three").expect(0));
    assert_eq!(recorded(&project), [3, 1]);
}
