//! Contents as they go: read from their file piece by piece, as fast as the client takes them.

use std::fs::File;
use std::io::SeekFrom;
use std::ops::Range;

use axum::body::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio::sync::mpsc;

/// Bytes that are read at once.
const PIECE: u64 = 256 << 10;
/// Pieces that wait to be sent.
const WAITING: usize = 2;

/// Some bytes of a file. They end early if they cannot be read, which the client sees by the length.
pub(super) fn stream(file: File, range: Range<u64>) -> mpsc::Receiver<Bytes> {
    let (sender, pieces) = mpsc::channel(WAITING);
    tokio::spawn(async move {
        if let Err(error) = send(file, range, &sender).await {
            tracing::warn!(%error, "a content cannot be read");
        }
    });
    pieces
}

async fn send(file: File, range: Range<u64>, sender: &mpsc::Sender<Bytes>) -> std::io::Result<()> {
    let mut file = tokio::fs::File::from_std(file);
    file.set_max_buf_size(usize::try_from(PIECE).unwrap_or(usize::MAX));
    file.seek(SeekFrom::Start(range.start)).await?;
    let mut left = range.end - range.start;
    while left > 0 {
        let size = left.min(PIECE);
        let mut piece = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
        let read = (&mut file).take(size).read_buf(&mut piece).await?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        left -= read as u64;
        // Who no longer listens needs no more.
        if sender.send(piece.into()).await.is_err() {
            break;
        }
    }
    Ok(())
}
