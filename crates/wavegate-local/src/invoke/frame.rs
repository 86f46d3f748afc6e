//! The frames of `application/vnd.amazon.eventstream`, in which AWS's streams come.

use axum::body::Bytes;
use flate2::Crc;

/// A header whose value is a text.
const TEXT: u8 = 7;
/// Bytes before the headers: two lengths and a checksum.
const PRELUDE: usize = 12;
/// Bytes behind the payload: a checksum.
const END: usize = 4;
/// Bytes of one frame's payload. AWS's own frames are far smaller.
const PAYLOAD_MAX: usize = 1 << 20;

/// The frames of some bytes of an answer.
pub(super) fn chunks(data: &Bytes) -> Vec<Bytes> {
    let mut rest = data.clone();
    let mut all = Vec::new();
    while !rest.is_empty() {
        let piece = rest.split_to(rest.len().min(PAYLOAD_MAX));
        all.push(event("PayloadChunk", "application/octet-stream", &piece));
    }
    all
}

/// One event.
pub(super) fn event(kind: &str, content_type: &str, payload: &[u8]) -> Bytes {
    let mut headers = Vec::new();
    for (name, value) in
        [(":event-type", kind), (":content-type", content_type), (":message-type", "event")]
    {
        headers.push(u8::try_from(name.len()).unwrap_or_default());
        headers.extend(name.as_bytes());
        headers.push(TEXT);
        headers.extend(u16::try_from(value.len()).unwrap_or_default().to_be_bytes());
        headers.extend(value.as_bytes());
    }
    let total = PRELUDE + headers.len() + payload.len() + END;
    let mut frame = Vec::with_capacity(total);
    frame.extend(length(total));
    frame.extend(length(headers.len()));
    frame.extend(checksum(&frame));
    frame.extend(headers);
    frame.extend(payload);
    frame.extend(checksum(&frame));
    frame.into()
}

fn length(of: usize) -> [u8; 4] {
    u32::try_from(of).unwrap_or(u32::MAX).to_be_bytes()
}

fn checksum(of: &[u8]) -> [u8; 4] {
    let mut crc = Crc::new();
    crc.update(of);
    crc.sum().to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_laid_out_as_clients_read_it() {
        let frame = event("PayloadChunk", "application/octet-stream", b"hi");
        let number = |at: usize| u32::from_be_bytes(frame[at..at + 4].try_into().unwrap()) as usize;
        assert_eq!(number(0), frame.len());
        let headers = &frame[PRELUDE..PRELUDE + number(4)];
        assert!(headers.starts_with(b"\x0b:event-type\x07\x00\x0cPayloadChunk\x0d:content-type"));
        assert_eq!(&frame[frame.len() - 6..frame.len() - 4], b"hi");
        assert_eq!(frame[8..12], checksum(&frame[..8]));
        assert_eq!(frame[frame.len() - 4..], checksum(&frame[..frame.len() - 4]));
        // The check value of CRC-32.
        assert_eq!(checksum(b"123456789"), 0xcbf4_3926_u32.to_be_bytes());
    }

    #[test]
    fn a_large_answer_is_cut() {
        let data = Bytes::from(vec![7; PAYLOAD_MAX + 1]);
        let sizes: Vec<usize> = chunks(&data).iter().map(Bytes::len).collect();
        assert_eq!(sizes.len(), 2);
        assert!(sizes[1] < 200);
    }
}
