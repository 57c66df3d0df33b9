-- Who carries a change out is looked up before each of its requests, and its plan may be megabytes.
CREATE INDEX changes_fence ON changes (id, fence);
