"""The lines that the panels draw: where the alerts of files/prometheus/rules begin."""

# Share of failed messages and requests (AssistantErrorRateHigh).
ERROR_RATIO = 0.05
# Seconds until a message is acknowledged, and a known answer is given (AssistantLatencyHigh).
ACK_SECONDS = 0.5
# Seconds that a person may wait for the first words of an answer.
FIRST_WORDS_SECONDS = 1.2
# Share of a file system that is full (HostDiskFull).
DISK_RATIO = 0.85
# Share of a host's memory that is used (HostMemoryLow: less than 5 % is left).
HOST_MEMORY_RATIO = 0.95
# Share of the container's memory limit (AssistantMemoryHigh).
MEMORY_RATIO = 0.9
# Age of the oldest message that waits, in seconds (AssistantBacklog).
OLDEST_SECONDS = 120
# Days that are left to the certificate (CertificateExpiresSoon).
CERTIFICATE_DAYS = 14
# Share of model loads that succeed (AssistantModelLoadFailing).
LOAD_RATIO = 0.999
# Requests that one host can finish in a second (AssistantThroughputLow).
REQUESTS_PER_SECOND = 15
# How fast the error budget is spent; 1 spends it exactly (AssistantAvailabilityBurnFast, ...BurnSlow).
BURN_FAST = 14.4
# Share of requests and messages that must not fail.
AVAILABILITY = 0.999
