-- Prefect's server has a database of its own beside Rollcall's.
CREATE DATABASE prefect;
