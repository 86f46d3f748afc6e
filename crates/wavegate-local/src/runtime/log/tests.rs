//! Lines and frames as they come through a pipe, and where they go.

use super::*;

#[derive(Debug, Clone, Default)]
struct Kept(Arc<Mutex<Vec<String>>>);

impl LogStream for Kept {
    fn event(&mut self, message: &[u8]) {
        self.0.lock().unwrap().push(String::from_utf8_lossy(message).into_owned());
    }
}

fn log() -> (Arc<Log>, Source, io::PipeWriter, Kept) {
    let (reader, writer) = io::pipe().unwrap();
    let kept = Kept::default();
    let log = Log::new(Box::new(kept.clone()), Format::Text);
    (log, Source::new(reader).unwrap(), writer, kept)
}

/// A frame as AWS's clients write them.
fn frame(kind: u8, text: &str) -> Vec<u8> {
    let mut bytes = vec![0xa5, 0x5a, 0, kind];
    bytes.extend(u32::try_from(text.len()).unwrap().to_be_bytes());
    bytes.extend([0; 8]);
    bytes.extend(text.as_bytes());
    bytes
}

#[tokio::test]
async fn the_tail_is_the_last_four_kilobytes() {
    let (log, source, mut writer, _) = log();
    log.put("START\n", false);
    writer.write_all(&[b'a'; 5000]).unwrap();
    log.drain(&source);
    log.put("END\n", false);
    let tail = log.take_tail();
    assert_eq!(tail.len(), TAIL);
    assert!(tail.ends_with(b"a\nEND\n"));
    log.put("START\n", false);
    assert_eq!(log.take_tail(), b"START\n");
}

#[tokio::test]
async fn lines_and_frames_are_events_however_they_are_cut() {
    let mut written = b"one\ntwo\rsame\n".to_vec();
    // Without a level, at INFO, and JSON at ERROR.
    written.extend(frame(0x03, "a\nb"));
    written.extend(frame(0x0f, "c\n"));
    written.extend(frame(0x16, "{}\n"));
    written.extend("å\u{a5}Z no frame\nlast".as_bytes());
    for cut in 0..written.len() {
        let (log, source, mut writer, kept) = log();
        for part in [&written[..cut], &written[cut..]] {
            writer.write_all(part).unwrap();
            log.drain(&source);
        }
        log.put("END\n", false);
        let events = kept.0.lock().unwrap().clone();
        let wanted =
            ["one\n", "two\rsame\n", "a\nb", "c\n", "{}\n", "å\u{a5}Z no frame\n", "last", "END\n"];
        assert_eq!(events, wanted, "cut at {cut}");
        let tail = String::from_utf8(log.take_tail()).unwrap();
        assert_eq!(tail, "one\ntwo\rsame\na\nb\nc\n{}\nå\u{a5}Z no frame\nlast\nEND\n");
    }
}

#[tokio::test]
async fn the_pump_ends_with_the_last_writer() {
    let (log, source, mut writer, kept) = log();
    writer.write_all(b"hello").unwrap();
    drop(writer);
    log.pump(&source).await;
    assert_eq!(*kept.0.lock().unwrap(), ["hello"]);
}

#[test]
fn files_are_kept_per_function_and_environment() {
    let directory = tempfile::tempdir().unwrap();
    let home =
        |region: &str| Home { region: region.to_owned(), account: "000000000000".to_owned() };
    let files = LogFiles::new(directory.path().join("logs"), home("us-east-1"));
    for (region, inside) in [("us-east-1", ""), ("eu-west-1", "000000000000.eu-west-1/")] {
        let mut stream = files.begin(&home(region), "/aws/lambda/fn", "2026/11/26/[1]abc");
        stream.event(b"one\n");
        stream.event(b"two\n");
        let path = directory.path().join(format!("logs/{inside}fn/2026-11-26-[1]abc.log"));
        assert_eq!(std::fs::read(path).unwrap(), b"one\ntwo\n");
    }
}
