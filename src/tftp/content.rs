//! A file as it is sent: read once from its beginning to its end, with no more of it in memory than what may still have to be
//! sent again and what comes next.

use bootledger_web::boot::loaders::Loader;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// How much is read at once, so that small blocks do not ask the disk each time.
const PART: u64 = 64 * 1024;

/// An open file and a part of it.
pub(super) struct Content {
    file: Arc<File>,
    size: u64,
    /// Where `held` begins in the file.
    begin: u64,
    held: Vec<u8>,
}

impl Content {
    pub(super) fn new(loader: Loader) -> Self {
        Self { file: Arc::new(loader.file), size: loader.size, begin: 0, held: vec![] }
    }

    /// The file's length when it was opened; what is added to it later is not sent.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Has everything from `from` to `to` in memory, and forgets what is before. Never goes back.
    pub(super) async fn hold(&mut self, from: u64, to: u64) -> io::Result<()> {
        let held_to = self.begin + self.held.len() as u64;
        let to = to.min(self.size);
        if to <= held_to {
            return Ok(());
        }
        let mut held = std::mem::take(&mut self.held);
        held.drain(..index(from - self.begin).min(held.len()));
        let missing = index((to - held_to).max(PART).min(self.size - held_to));
        let file = Arc::clone(&self.file);
        let read = move || {
            let kept = held.len();
            held.resize(kept + missing, 0);
            // A file that became shorter meanwhile is an error: the client was told its size.
            file.read_exact_at(held.get_mut(kept..).unwrap_or_default(), held_to)?;
            Ok(held)
        };
        self.held = tokio::task::spawn_blocking(read).await.map_err(io::Error::other).flatten()?;
        self.begin = held_to + missing as u64 - self.held.len() as u64;
        Ok(())
    }

    /// What is held of the bytes from `from` to `to`, which end with the file.
    pub(super) fn bytes(&self, from: u64, to: u64) -> &[u8] {
        let place = |at: u64| index(at.saturating_sub(self.begin)).min(self.held.len());
        self.held.get(place(from)..place(to)).unwrap_or_default()
    }
}

fn index(place: u64) -> usize {
    usize::try_from(place).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn content(bytes: &[u8]) -> (Content, File) {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(bytes).expect("a written file");
        let size = bytes.len() as u64;
        (Content::new(Loader { file: file.try_clone().expect("a file"), size, modified: None }), file)
    }

    #[tokio::test]
    async fn every_part_is_what_the_file_has_there() {
        let bytes: Vec<u8> = (0..300_001_u32).map(|n| n.to_le_bytes()[0] ^ n.to_le_bytes()[1]).collect();
        for (block, window) in [(512, 1), (1428, 4), (8192, 16), (65_464, 4), (7, 1)] {
            let (mut content, _file) = content(&bytes);
            let mut from = 0;
            while from <= content.size() {
                let to = from + block * window;
                content.hold(from, to).await.expect("content");
                let there = &bytes[index(from)..index(to).min(bytes.len())];
                assert_eq!(content.bytes(from, to), there, "{block} {window} at {from}");
                assert!(content.held.len() as u64 <= PART + 2 * block * window, "it forgets what was sent");
                from += block * window.min(3);
            }
        }
    }

    #[tokio::test]
    async fn a_file_that_became_shorter_is_an_error() {
        let (mut content, file) = content(&vec![1; 200_000]);
        content.hold(0, 512).await.expect("content");
        file.set_len(100_000).expect("a shorter file");
        let error = content.hold(100_000, 150_000).await.expect_err("an error");
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
