DROP TABLE sessions;
DROP TABLE activities;
DROP TABLE programmes;
DROP TABLE topics;
