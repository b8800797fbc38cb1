DROP TABLE plan_exports;
