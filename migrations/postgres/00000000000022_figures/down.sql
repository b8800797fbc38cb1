DROP TABLE plan_shares;
DROP TABLE plan_cascades;
DROP TABLE plan_report_units;
DROP TABLE plan_reports;
DROP FUNCTION plan_reports_stay();
ALTER TABLE targets DROP COLUMN min_good_percent;
ALTER TABLE targets DROP COLUMN curve;
ALTER TABLE targets DROP COLUMN coverage;
