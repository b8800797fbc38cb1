DROP TABLE ledger_rollups;
DROP TABLE ledger_lines;
DROP TABLE policies;
DROP TABLE counting_rules;
DROP TABLE milestones;
DROP TABLE targets;
DROP TABLE plan_items;
DROP TABLE plans;
