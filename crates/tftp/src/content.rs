//! A file that is being sent. It is read once from beginning to end; only the part that may have to be sent again and the next
//! part are in memory.

use super::OpenedFile;
use std::io;

/// An open file, and the part of it that is in memory.
pub(super) struct Content {
    file: Box<dyn OpenedFile>,
    /// The offset of `held` in the file.
    begin: u64,
    held: Vec<u8>,
    /// Whether the client has acknowledged a part of the file.
    given: bool,
}

impl Content {
    pub(super) fn new(file: Box<dyn OpenedFile>) -> Self {
        Self { file, begin: 0, held: vec![], given: false }
    }

    /// The length of the file when it was opened; data that is appended later is not sent.
    pub(super) fn size(&self) -> u64 {
        self.file.size()
    }

    /// Records that the client has acknowledged a part of the file; only the first call has an effect.
    pub(super) async fn given(&mut self) {
        if !std::mem::replace(&mut self.given, true) {
            self.file.received().await;
        }
    }

    /// Reads everything from `from` to `to` into memory, and drops what is before. The range never moves back.
    pub(super) async fn hold(&mut self, from: u64, to: u64) -> io::Result<()> {
        let held_to = self.begin + self.held.len() as u64;
        let to = to.min(self.size());
        if to <= held_to {
            return Ok(());
        }
        // Much is read at once, so that small blocks do not each need a read from the disk.
        let read_to = to.max(held_to + self.file.part()).min(self.size());
        // A file that has become shorter is an error, because the client has received its size.
        let read = self.file.read(held_to, read_to).await?;
        self.held.drain(..index(from - self.begin).min(self.held.len()));
        self.held.extend_from_slice(&read);
        self.begin = read_to - self.held.len() as u64;
        Ok(())
    }

    /// The bytes in memory from `from` to `to`, or to the end of the file.
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
    use crate::tests::folder::Folder;
    use std::fs::File;

    fn content(bytes: &[u8]) -> (Content, File) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("loader.efi");
        std::fs::write(&path, bytes).expect("a written file");
        let opened = Folder(folder.path().to_owned()).open_now(b"loader.efi").expect("the file");
        (Content::new(Box::new(opened)), File::options().write(true).open(&path).expect("the file"))
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
                assert!(content.held.len() as u64 <= 64 * 1024 + 2 * block * window, "it forgets what was sent");
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
