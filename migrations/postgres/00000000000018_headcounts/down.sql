DROP TABLE headcount_findings;
DROP TABLE headcount_sample_entries;
DROP TABLE headcount_samples;
DROP TABLE headcount_flags;
DROP TABLE headcount_photos;
DROP TABLE headcounts;
DROP TABLE file_prints;
