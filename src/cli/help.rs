//! The text that `--help` prints after the options: examples and exit codes.

pub(super) const ALL: &str = "\
You can give the common options anywhere on the command line, in the environment, or in a file `.env`.

Examples:
  bootledger serve --data-dir /var/lib/bootledger
  bootledger token create ops --data-dir /var/lib/bootledger
  bootledger import --catalogue catalogue.yaml --dry-run

Exit codes:
  0  success
  1  the command failed, or a part of it was refused; standard error has the reason
  2  the command line is wrong";

pub(super) const DEMO: &str = "\
Examples:
  bootledger demo --data-dir /tmp/demo --listen 127.0.0.1:8088
  bootledger demo --busy --data-dir /tmp/busy     with 250 devices and 60 deployments in every state";

pub(super) const SERVE: &str = "\
Examples:
  bootledger serve --data-dir /var/lib/bootledger --boot-listen 10.0.0.2:80 --tftp-listen 10.0.0.2:69
  DATABASE_URL=postgres://bootledger@db/bootledger bootledger serve --base-url https://bootledger.example";

pub(super) const DEPLOY: &str = "\
Example:
  bootledger deploy --data-dir /var/lib/bootledger";

pub(super) const IMAGE: &str = "\
Examples:
  bootledger image list
  bootledger image add debian-12 --as debian
  bootledger image update --dry-run";

pub(super) const DHCP_AGENT: &str = "\
Example:
  bootledger dhcp-agent --server-name kea-dc1 --site dc1 --kind kea --url http://10.0.0.2:8080 --token-file kea-dc1.token --config /etc/kea/kea-dhcp4.conf";

pub(super) const KEY: &str = "\
Example:
  bootledger key check";

pub(super) const TOKEN: &str = "\
Examples:
  bootledger token create ops --role operator --expires 2027-01-01T00:00:00Z
  bootledger token create kea-dc1 --dhcp-server kea-dc1
  bootledger token list";

pub(super) const USER: &str = "\
Examples:
  bootledger user create ada --role operator --display-name \"Ada Lovelace\"
  bootledger user passwd ada
  bootledger user list";

pub(super) const UNLOCK: &str = "\
Example:
  bootledger unlock SN7KQ2";

pub(super) const LOCK: &str = "\
Examples:
  bootledger lock SVC7Q01 --reason \"holds the only copy of the archive\"
  bootledger unlock SVC7Q01";

pub(super) const POWER: &str = "\
Examples:
  bootledger power status SVC7Q01
  bootledger power cycle 52:54:00:d1:00:01 --network-boot";

pub(super) const DRIFT: &str = "\
Examples:
  bootledger drift dc1
  bootledger drift dc1 --check";

pub(super) const WEBHOOK: &str = "\
Examples:
  bootledger webhook list
  bootledger webhook ping chat
  bootledger webhook pause chat --reason \"maintenance until noon\"";

pub(super) const VERIFY: &str = "\
Examples:
  bootledger verify
  bootledger export > log.jsonl && bootledger verify log.jsonl

Exit codes:
  0  the log was not altered
  1  the log was altered, or could not be read
  2  the command line is wrong";

pub(super) const REBUILD: &str = "\
Examples:
  bootledger rebuild --compare
  bootledger rebuild";
