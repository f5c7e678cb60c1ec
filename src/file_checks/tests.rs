//! Programs that are missing, hang, crash, or reject everything never refuse a change; one that works does.

use super::*;
use std::os::unix::fs::PermissionsExt;

/// Checkers in a folder with this one program, a shell script.
fn with(script: &str) -> (tempfile::TempDir, Checkers) {
    let folder = tempfile::tempdir().expect("a folder");
    let program = folder.path().join("dnsmasq");
    std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).expect("a script");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("a program");
    let checkers = Checkers::in_folders([folder.path().to_owned()]);
    (folder, checkers)
}

async fn said(checkers: &Checkers, text: &str) -> Verdict {
    checkers.check(Checker::Dnsmasq, "example", text, Instant::now() + Duration::from_millis(700)).await
}

#[tokio::test]
async fn a_file_is_rejected_in_the_checkers_words() {
    let (_folder, checkers) = with("grep -q wrong \"$3\" && { echo \"bad option at line 1 of $3\"; exit 1; }; exit 0");
    assert_eq!(said(&checkers, "right\n").await, Verdict::Accepted);
    assert_eq!(said(&checkers, "wrong\n").await, Verdict::Rejected("bad option at line 1 of the file".to_owned()));
    assert!(checkers.has(Checker::Dnsmasq) && !checkers.has(Checker::Kea));
}

#[tokio::test]
async fn an_earlier_error_does_not_prevent_a_change() {
    let (_folder, checkers) = with("grep -q wrong \"$3\" && { echo \"bad option at line 1\"; exit 1; }; exit 0");
    let judge = async |before: Option<&str>, after: &str| {
        let files = vec![(Checker::Dnsmasq, before.map(str::to_owned), after.to_owned())];
        checkers.judge(files).await.remove(0).1
    };
    assert!(matches!(judge(Some("right"), "wrong").await, Verdict::Rejected(_)));
    assert!(matches!(judge(None, "wrong").await, Verdict::Rejected(_)));
    assert!(matches!(judge(Some("wrong as it was"), "wrong").await, Verdict::Unchecked(_)));
    assert_eq!(judge(Some("wrong"), "right").await, Verdict::Accepted);
}

#[tokio::test]
async fn a_checker_that_does_not_work_refuses_nothing() {
    for (script, words) in [
        ("sleep 60", "did not end within"),
        ("trap '' TERM; while :; do :; done", "did not end within"),
        ("kill -SEGV $$", "ended without output"),
        ("exit 1", "ended without output"),
        // The program was killed after it had printed something, which is not a judgement of the file.
        ("echo 'error at line 1'; kill -KILL $$", "ended without output"),
        ("echo 'error at line 1'; kill -SEGV $$", "ended without output"),
        ("exit 127", "ended without output"),
        // The program fills the disk.
        ("cat /dev/zero", "ended without output"),
        ("echo \"cannot read $3: Permission denied\"; exit 1", "Permission denied"),
    ] {
        let (_folder, checkers) = with(script);
        match said(&checkers, "a file\n").await {
            Verdict::Unchecked(why) => assert!(why.contains(words), "{script}: {why}"),
            other => panic!("{script}: {other:?}"),
        }
    }
    let missing = said(&Checkers::in_folders([PathBuf::from("/nonexistent")]), "a file\n").await;
    assert_eq!(missing, Verdict::Unchecked("dnsmasq is not installed here".to_owned()));
    assert!(!Checkers::off().has(Checker::Isc) && matches!(said(&Checkers::off(), "x").await, Verdict::Unchecked(_)));
}

/// Whether a process runs. A zombie process does not.
fn runs(process: &str) -> bool {
    let state = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    state.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['Z', 'X']))
}

#[tokio::test]
async fn a_checker_leaves_no_process_behind_however_it_ends() {
    for (end, accepted) in
        [("exit 0", true), ("echo 'error at line 1'; exit 1", false), ("sleep 1000", false), ("kill -KILL $$", false)]
    {
        // One child continues in the background, and another ignores requests to end.
        let script = format!(
            "sleep 1000 & echo $! >>\"${{0%/*}}/children\"\n(trap '' TERM HUP; while :; do sleep 1000; done) & echo $! >>\"${{0%/*}}/children\"\n{end}"
        );
        let (folder, checkers) = with(&script);
        let verdict = checkers.check(Checker::Dnsmasq, "example", "a file\n", Instant::now() + LIMIT).await;
        assert_eq!(verdict == Verdict::Accepted, accepted, "{end}: {verdict:?}");
        let children = std::fs::read_to_string(folder.path().join("children")).expect("its children");
        assert!(children.lines().count() >= 2, "{end}: {children}");
        let deadline = Instant::now() + Duration::from_secs(20);
        while children.lines().any(runs) {
            assert!(Instant::now() < deadline, "{end}: a child of the checker runs on");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test]
async fn an_accepted_file_is_not_checked_again() {
    let (folder, checkers) = with("echo run >> \"$(dirname \"$0\")/runs\"; exit 0");
    for _ in 0..3 {
        assert_eq!(said(&checkers, "the same").await, Verdict::Accepted);
    }
    assert_eq!(said(&checkers, "another").await, Verdict::Accepted);
    let runs = std::fs::read_to_string(folder.path().join("runs")).expect("its runs");
    assert_eq!(runs.lines().count(), 2);
}

/// The servers' own checkers, which must be installed for this crate's tests.
#[tokio::test]
async fn every_checker_accepts_a_valid_file_and_rejects_an_invalid_one() {
    let checkers = Checkers::default();
    for checker in [Checker::Isc, Checker::Kea, Checker::Dnsmasq, Checker::Zone] {
        let deadline = || Instant::now() + LIMIT;
        assert_eq!(checkers.check(checker, "example", checker.known_good(), deadline()).await, Verdict::Accepted, "{checker:?}");
        match checkers.check(checker, "example", "nonsense here\n", deadline()).await {
            Verdict::Rejected(words) => assert!(!words.contains("/tmp"), "{words}"),
            other => panic!("{checker:?}: {other:?}"),
        }
    }
}
