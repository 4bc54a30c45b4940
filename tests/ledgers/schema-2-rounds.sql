-- Written by the code of commit 80aff46.
PRAGMA user_version = 2;
BEGIN TRANSACTION;
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
CREATE INDEX ix_candidate_version ON candidate (version);
CREATE INDEX ix_night_night_date ON night (night_date);
CREATE INDEX ix_measurement_night_id ON measurement (night_id);
CREATE INDEX ix_answer_night_id ON answer (night_id);
CREATE INDEX ix_evidence_night_id ON evidence (night_id);
COMMIT;
