-- Days that the State Council's notices take out of the plain week, and the years whose notice is here whole.
CREATE TABLE calendar_days (
    day DATE NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('holiday', 'workday')),
    name TEXT NOT NULL,
    source TEXT NOT NULL
);
CREATE TABLE calendar_years (
    year BIGINT NOT NULL PRIMARY KEY,
    source TEXT NOT NULL
);
