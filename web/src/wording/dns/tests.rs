//! The sentence for each problem, in its stored form.

use super::problem;

#[test]
fn every_problem_has_a_sentence() {
    for (stored, sentence) in [
        (
            r#"{"code":"alias","name":"h1.dc1.example","target":"www.example","zone":"dc1.example"}"#,
            "h1.dc1.example is an alias (CNAME) of www.example at the primary of dc1.example, which Bootledger did not create; remove it there, or choose another name",
        ),
        (
            r#"{"code":"foreign","name":"h1.dc1.example","type":"A","values":["10.9.9.8","10.9.9.9"],"zone":"dc1.example"}"#,
            "the primary of dc1.example has h1.dc1.example A 10.9.9.8, 10.9.9.9, which Bootledger did not create; remove it there, or choose another name or address",
        ),
        (
            r#"{"code":"other_records","primary":"10.0.0.53:53","key":"k","name":"h1.dc1.example","type":"A","found":[],"expected":["10.0.0.10"],"accepted":true}"#,
            "10.0.0.53:53 answers no record for h1.dc1.example A, where 10.0.0.10 is expected, and accepts the update anyway. It serves other records than it updates. Check that the key k selects the same view for both (match-clients), that 10.0.0.53:53 is the zone's primary and not a secondary that passes updates on, and whether another program updates the same records",
        ),
        (
            r#"{"code":"unstable","primary":"10.0.0.53:53","name":"h1.dc1.example","type":"A"}"#,
            "the primary 10.0.0.53:53 has not returned stable records for h1.dc1.example A yet",
        ),
        (
            r#"{"code":"primary","problem":{"code":"no_answer","primary":"10.0.0.53:53"}}"#,
            "10.0.0.53:53 does not accept DNS updates. The service's log has the details",
        ),
        (r#"{"code":"text","text":"it answered REFUSED"}"#, "it answered REFUSED"),
    ] {
        let read = serde_json::from_str(stored).expect(stored);
        assert_eq!(problem(&read), sentence);
        assert_eq!(serde_json::to_string(&read).expect("JSON"), stored);
    }
}
