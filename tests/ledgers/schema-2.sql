-- Written by the code of commit ae8034f.
PRAGMA user_version = 2;
BEGIN TRANSACTION;
CREATE TABLE alert (
	alert_id VARCHAR NOT NULL, 
	kind VARCHAR NOT NULL, 
	subject VARCHAR NOT NULL, 
	state VARCHAR NOT NULL, 
	severity VARCHAR NOT NULL, 
	opened_at DATETIME NOT NULL, 
	changed_at DATETIME NOT NULL, 
	change_count INTEGER NOT NULL, 
	reason VARCHAR NOT NULL, 
	worst_ratio FLOAT, 
	silenced_until DATETIME, 
	changed_by VARCHAR NOT NULL, 
	PRIMARY KEY (alert_id)
);
INSERT INTO "alert" VALUES('one','ratio','one','acknowledged','ERROR','2026-11-20 02:30:15.000250','2026-11-20 02:32:15.000250',2,'P99/P95 2.4',2.4,NULL,'');
INSERT INTO "alert" VALUES('two','ratio','two','resolved','ERROR','2026-11-20 02:30:15.000250','2026-11-20 02:32:15.000250',2,'P99/P95 2.4',2.4,NULL,'');
CREATE TABLE alert_change (
	alert_id VARCHAR NOT NULL, 
	number INTEGER NOT NULL, 
	event VARCHAR NOT NULL, 
	state VARCHAR NOT NULL, 
	severity VARCHAR NOT NULL, 
	at DATETIME NOT NULL, 
	reason VARCHAR NOT NULL, 
	"by" VARCHAR NOT NULL, 
	silenced_until DATETIME, 
	spoken BOOLEAN NOT NULL, 
	recorded_at DATETIME NOT NULL, 
	PRIMARY KEY (alert_id, number), 
	FOREIGN KEY(alert_id) REFERENCES alert (alert_id)
);
INSERT INTO "alert_change" VALUES('one',1,'open','open','ERROR','2026-11-20 02:31:15.000250','P99/P95 2.4','',NULL,1,'2026-11-20 02:30:15.000250');
INSERT INTO "alert_change" VALUES('one',2,'acknowledge','acknowledged','ERROR','2026-11-20 02:32:15.000250','P99/P95 2.4','',NULL,1,'2026-11-20 02:30:15.000250');
INSERT INTO "alert_change" VALUES('two',1,'open','open','ERROR','2026-11-20 02:31:15.000250','P99/P95 2.4','',NULL,1,'2026-11-20 02:30:15.000250');
INSERT INTO "alert_change" VALUES('two',2,'clear','resolved','ERROR','2026-11-20 02:32:15.000250','P99/P95 2.4','',NULL,1,'2026-11-20 02:30:15.000250');
CREATE TABLE alert_outbox (
	row_id INTEGER NOT NULL, 
	message_id VARCHAR NOT NULL, 
	target VARCHAR NOT NULL, 
	title VARCHAR NOT NULL, 
	body VARCHAR NOT NULL, 
	severity VARCHAR NOT NULL, 
	recorded_at DATETIME NOT NULL, 
	attempts INTEGER NOT NULL, 
	attempted_at DATETIME, 
	next_attempt_at DATETIME NOT NULL, 
	delivered_at DATETIME, 
	last_error VARCHAR NOT NULL, 
	PRIMARY KEY (row_id)
);
INSERT INTO "alert_outbox" VALUES(1,'one.1','a','[ERROR] one','open at 2026-11-20 02:31:15 UTC: P99/P95 2.4
open since 2026-11-20 02:30:15 UTC; message one.1','error','2026-11-20 02:30:15.000250',1,'2026-11-20 02:30:15.000250','2026-11-20 02:30:15.000250','2026-11-20 02:30:15.000250','');
INSERT INTO "alert_outbox" VALUES(2,'one.1','b','[ERROR] one','open at 2026-11-20 02:31:15 UTC: P99/P95 2.4
open since 2026-11-20 02:30:15 UTC; message one.1','error','2026-11-20 02:30:15.000250',0,NULL,'2026-11-20 02:30:15.000250',NULL,'');
INSERT INTO "alert_outbox" VALUES(3,'one.2','a','[ACKNOWLEDGED] one','acknowledge at 2026-11-20 02:32:15 UTC: P99/P95 2.4
open since 2026-11-20 02:30:15 UTC; message one.2','error','2026-11-20 02:30:15.000250',0,NULL,'2026-11-20 02:30:15.000250',NULL,'');
INSERT INTO "alert_outbox" VALUES(4,'one.2','b','[ACKNOWLEDGED] one','acknowledge at 2026-11-20 02:32:15 UTC: P99/P95 2.4
open since 2026-11-20 02:30:15 UTC; message one.2','error','2026-11-20 02:30:15.000250',0,NULL,'2026-11-20 02:30:15.000250',NULL,'');
INSERT INTO "alert_outbox" VALUES(5,'two.1','a','[ERROR] two','open at 2026-11-20 02:31:15 UTC: P99/P95 2.4
open since 2026-11-20 02:30:15 UTC; message two.1','error','2026-11-20 02:30:15.000250',0,NULL,'2026-11-20 02:30:15.000250',NULL,'');
INSERT INTO "alert_outbox" VALUES(6,'two.1','b','[ERROR] two','open at 2026-11-20 02:31:15 UTC: P99/P95 2.4
open since 2026-11-20 02:30:15 UTC; message two.1','error','2026-11-20 02:30:15.000250',0,NULL,'2026-11-20 02:30:15.000250',NULL,'');
INSERT INTO "alert_outbox" VALUES(7,'two.2','a','[RESOLVED] two','clear at 2026-11-20 02:32:15 UTC: P99/P95 2.4
open since 2026-11-20 02:30:15 UTC; message two.2','error','2026-11-20 02:30:15.000250',0,NULL,'2026-11-20 02:30:15.000250',NULL,'');
INSERT INTO "alert_outbox" VALUES(8,'two.2','b','[RESOLVED] two','clear at 2026-11-20 02:32:15 UTC: P99/P95 2.4
open since 2026-11-20 02:30:15 UTC; message two.2','error','2026-11-20 02:30:15.000250',0,NULL,'2026-11-20 02:30:15.000250',NULL,'');
CREATE TABLE alert_watch (
	kind VARCHAR NOT NULL, 
	subject VARCHAR NOT NULL, 
	violations INTEGER NOT NULL, 
	clean INTEGER NOT NULL, 
	armed BOOLEAN NOT NULL, 
	episodes INTEGER NOT NULL, 
	alert_id VARCHAR, 
	PRIMARY KEY (kind, subject)
);
INSERT INTO "alert_watch" VALUES('ratio','one',3,0,1,1,'one');
INSERT INTO "alert_watch" VALUES('ratio','two',3,0,1,1,NULL);
CREATE TABLE answer (
	row_id INTEGER NOT NULL, 
	night_id VARCHAR NOT NULL, 
	gate VARCHAR NOT NULL, 
	slice VARCHAR NOT NULL, 
	verdict VARCHAR NOT NULL, 
	reason VARCHAR NOT NULL, 
	value FLOAT, 
	threshold FLOAT, 
	sign VARCHAR NOT NULL, 
	sample_count INTEGER NOT NULL, 
	evidence VARCHAR NOT NULL, 
	interval JSON, 
	PRIMARY KEY (row_id), 
	UNIQUE (night_id, slice, gate), 
	FOREIGN KEY(night_id) REFERENCES night (night_id)
);
INSERT INTO "answer" VALUES(1,'2026-11-20.1','tail_ratio','backend/python/small','PASS','1.5 ≤ 2',1.5,2.0,'≤',10,'samples','{"low": 1.2, "high": 1.8, "confidence": 0.95, "power": 0.9, "blocks": 20, "design_effect": 1.5}');
INSERT INTO "answer" VALUES(2,'2026-11-20.1','report','','PASS','drawn',NULL,NULL,'',0,'','null');
INSERT INTO "answer" VALUES(3,'2026-11-21.1','tail_ratio','backend/python/small','PASS','1.5 ≤ 2',1.5,2.0,'≤',10,'samples','{"low": 1.2, "high": 1.8, "confidence": 0.95, "power": 0.9, "blocks": 20, "design_effect": 1.5}');
INSERT INTO "answer" VALUES(4,'2026-11-21.1','report','','PASS','drawn',NULL,NULL,'',0,'','null');
CREATE TABLE candidate (
	digest VARCHAR NOT NULL, 
	version VARCHAR NOT NULL, 
	"commit" VARCHAR NOT NULL, 
	dirty BOOLEAN NOT NULL, 
	recorded_at DATETIME NOT NULL, 
	PRIMARY KEY (digest)
);
INSERT INTO "candidate" VALUES('sha256:1111111111111111111111111111111111111111111111111111111111111111','0.1.0','1111111111111111111111111111111111111111',0,'2026-11-20 02:30:15.000250');
INSERT INTO "candidate" VALUES('sha256:2222222222222222222222222222222222222222222222222222222222222222','0.2.0','2222222222222222222222222222222222222222',1,'2026-11-20 02:30:15.000250');
CREATE TABLE evidence (
	row_id INTEGER NOT NULL, 
	night_id VARCHAR NOT NULL, 
	path VARCHAR NOT NULL, 
	digest VARCHAR NOT NULL, 
	size_bytes INTEGER NOT NULL, 
	PRIMARY KEY (row_id), 
	UNIQUE (night_id, path), 
	FOREIGN KEY(night_id) REFERENCES night (night_id)
);
INSERT INTO "evidence" VALUES(1,'2026-11-20.1','nights/a.txt','sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb',12);
INSERT INTO "evidence" VALUES(2,'2026-11-21.1','nights/a.txt','sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb',12);
CREATE TABLE measurement (
	row_id INTEGER NOT NULL, 
	night_id VARCHAR NOT NULL, 
	slice VARCHAR NOT NULL, 
	corpus VARCHAR NOT NULL, 
	metrics JSON NOT NULL, 
	evidence VARCHAR NOT NULL, 
	invalid JSON NOT NULL, 
	PRIMARY KEY (row_id), 
	UNIQUE (night_id, slice), 
	FOREIGN KEY(night_id) REFERENCES night (night_id)
);
INSERT INTO "measurement" VALUES(1,'2026-11-20.1','backend/python/small','thing 1.0','[["p99_ms", 1.5, 10, {"low": 1.2, "high": 1.8, "confidence": 0.95, "power": 0.9, "blocks": 20, "design_effect": 1.5}], ["tail_ratio", null, 0, null]]','samples','[]');
INSERT INTO "measurement" VALUES(2,'2026-11-21.1','backend/python/small','thing 1.0','[["p99_ms", 1.5, 10, {"low": 1.2, "high": 1.8, "confidence": 0.95, "power": 0.9, "blocks": 20, "design_effect": 1.5}], ["tail_ratio", null, 0, null]]','samples','[]');
CREATE TABLE monitor_checkpoint (
	row_id INTEGER NOT NULL, 
	content JSON NOT NULL, 
	recorded_at DATETIME NOT NULL, 
	PRIMARY KEY (row_id)
);
INSERT INTO "monitor_checkpoint" VALUES(1,'{"serial": 4, "pane_s": 30, "positions": {}, "watermarks_s": {"log": 12.5}, "next_tick_s": 60, "totals": {"log": {"lines": 4}}, "empty_ticks": 0, "skipped_ticks": 0}','2026-11-20 02:30:15.000250');
CREATE TABLE monitor_pane (
	kind VARCHAR NOT NULL, 
	name VARCHAR NOT NULL, 
	number INTEGER NOT NULL, 
	content BLOB NOT NULL, 
	PRIMARY KEY (kind, name, number)
);
INSERT INTO "monitor_pane" VALUES('slice','one',1,X'01');
INSERT INTO "monitor_pane" VALUES('slice','one',2,X'02');
INSERT INTO "monitor_pane" VALUES('slice','one',3,X'03');
INSERT INTO "monitor_pane" VALUES('slice','one',4,X'04');
CREATE TABLE night (
	night_id VARCHAR NOT NULL, 
	night_date DATE NOT NULL, 
	attempt INTEGER NOT NULL, 
	candidate_digest VARCHAR NOT NULL, 
	dirty BOOLEAN NOT NULL, 
	baseline_digest VARCHAR, 
	policy_digest VARCHAR NOT NULL, 
	dataset_digest VARCHAR NOT NULL, 
	slices JSON NOT NULL, 
	seed INTEGER NOT NULL, 
	duration_minutes FLOAT NOT NULL, 
	folder VARCHAR NOT NULL, 
	state VARCHAR NOT NULL, 
	verdict VARCHAR, 
	reason VARCHAR NOT NULL, 
	opened_at DATETIME NOT NULL, 
	closed_at DATETIME, 
	report_drawn BOOLEAN NOT NULL, 
	PRIMARY KEY (night_id), 
	UNIQUE (night_date, attempt), 
	FOREIGN KEY(candidate_digest) REFERENCES candidate (digest), 
	FOREIGN KEY(baseline_digest) REFERENCES candidate (digest)
);
INSERT INTO "night" VALUES('2026-11-20.1','2026-11-20',1,'sha256:1111111111111111111111111111111111111111111111111111111111111111',0,NULL,'sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc','sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd','["backend/python/small"]',7,1.5,'nights/2026-11-20.1','closed','PASS','all pass','2026-11-20 02:30:15.000250','2026-11-20 04:30:15.000250',1);
INSERT INTO "night" VALUES('2026-11-21.1','2026-11-21',1,'sha256:2222222222222222222222222222222222222222222222222222222222222222',1,'sha256:1111111111111111111111111111111111111111111111111111111111111111','sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc','sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd','["backend/python/small"]',7,1.5,'nights/2026-11-21.1','closed','PASS','all pass','2026-11-21 02:30:15.000250','2026-11-21 04:30:15.000250',1);
INSERT INTO "night" VALUES('2026-11-22.1','2026-11-22',1,'sha256:2222222222222222222222222222222222222222222222222222222222222222',1,NULL,'sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc','sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd','["backend/python/small"]',7,1.5,'nights/2026-11-22.1','open',NULL,'','2026-11-22 02:30:15.000250',NULL,0);
CREATE INDEX ix_alert_opened_at ON alert (opened_at);
CREATE INDEX ix_alert_state ON alert (state);
CREATE INDEX ix_alert_subject ON alert (subject);
CREATE INDEX ix_alert_outbox_delivered_at ON alert_outbox (delivered_at);
CREATE INDEX ix_alert_outbox_message_id ON alert_outbox (message_id);
CREATE INDEX ix_candidate_version ON candidate (version);
CREATE INDEX ix_night_night_date ON night (night_date);
CREATE INDEX ix_measurement_night_id ON measurement (night_id);
CREATE INDEX ix_answer_night_id ON answer (night_id);
CREATE INDEX ix_evidence_night_id ON evidence (night_id);
COMMIT;
