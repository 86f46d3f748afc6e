//! The shapes of CloudWatch's operations, as the service's published model (API version
//! 2010-08-01) states them: members, which are required, lengths, ranges and allowed values.
//!
//! Invariant: every protocol decodes, validates and encodes by these tables alone, so an operation
//! is written once and reads the same in CBOR, JSON and query. Deliberately absent: log alarms in
//! answers (the local cloud has none), and documentation (the model has it).

/// What a value may look like on the wire.
#[derive(Debug)]
pub(crate) enum Shape {
    /// A string, its length in characters.
    Text {
        /// Shortest length accepted.
        min: usize,
        /// Longest length accepted.
        max: usize,
    },
    /// A string out of a closed set.
    Choice(&'static [&'static str]),
    /// A whole number.
    Integer {
        /// Smallest value accepted.
        min: i64,
        /// Largest value accepted.
        max: i64,
    },
    /// A double-precision number.
    Double,
    /// True or false.
    Boolean,
    /// A point in time, kept to the millisecond.
    Timestamp,
    /// A list; `member` elements in the query protocol.
    List {
        /// The shape of each element.
        of: &'static Shape,
        /// Fewest elements accepted.
        min: usize,
        /// Most elements accepted.
        max: usize,
    },
    /// A map from strings.
    Map {
        /// The shape of each value.
        of: &'static Shape,
    },
    /// A structure with named members.
    Structure(&'static [Field]),
}

/// A member of a structure.
#[derive(Debug)]
pub(crate) struct Field {
    /// The member's name, the same in every protocol.
    pub(crate) name: &'static str,
    /// What it looks like.
    pub(crate) shape: &'static Shape,
    /// Whether a request without it is refused.
    pub(crate) required: bool,
}

/// An operation the local cloud performs.
#[derive(Debug)]
pub(crate) struct Operation {
    /// The operation's name, the same in every protocol.
    pub(crate) name: &'static str,
    /// The shape of its request.
    pub(crate) input: &'static Shape,
    /// The shape of its answer; `None` when it answers with nothing.
    pub(crate) output: Option<&'static Shape>,
}

const fn required(name: &'static str, shape: &'static Shape) -> Field {
    Field { name, shape, required: true }
}

const fn optional(name: &'static str, shape: &'static Shape) -> Field {
    Field { name, shape, required: false }
}

/// Every operation the local cloud performs.
pub(crate) static OPERATIONS: &[Operation] = &[
    Operation { name: "PutMetricData", input: &PUT_METRIC_DATA_INPUT, output: None },
    Operation {
        name: "GetMetricData",
        input: &GET_METRIC_DATA_INPUT,
        output: Some(&GET_METRIC_DATA_OUTPUT),
    },
    Operation {
        name: "GetMetricStatistics",
        input: &GET_METRIC_STATISTICS_INPUT,
        output: Some(&GET_METRIC_STATISTICS_OUTPUT),
    },
    Operation {
        name: "ListMetrics",
        input: &LIST_METRICS_INPUT,
        output: Some(&LIST_METRICS_OUTPUT),
    },
    Operation { name: "PutMetricAlarm", input: &PUT_METRIC_ALARM_INPUT, output: None },
    Operation { name: "PutCompositeAlarm", input: &PUT_COMPOSITE_ALARM_INPUT, output: None },
    Operation {
        name: "DescribeAlarms",
        input: &DESCRIBE_ALARMS_INPUT,
        output: Some(&DESCRIBE_ALARMS_OUTPUT),
    },
    Operation {
        name: "DescribeAlarmsForMetric",
        input: &DESCRIBE_ALARMS_FOR_METRIC_INPUT,
        output: Some(&DESCRIBE_ALARMS_FOR_METRIC_OUTPUT),
    },
    Operation { name: "DeleteAlarms", input: &DELETE_ALARMS_INPUT, output: None },
    Operation { name: "SetAlarmState", input: &SET_ALARM_STATE_INPUT, output: None },
    Operation {
        name: "DescribeAlarmHistory",
        input: &DESCRIBE_ALARM_HISTORY_INPUT,
        output: Some(&DESCRIBE_ALARM_HISTORY_OUTPUT),
    },
    Operation { name: "EnableAlarmActions", input: &ENABLE_ALARM_ACTIONS_INPUT, output: None },
    Operation { name: "DisableAlarmActions", input: &DISABLE_ALARM_ACTIONS_INPUT, output: None },
    Operation {
        name: "PutDashboard",
        input: &PUT_DASHBOARD_INPUT,
        output: Some(&PUT_DASHBOARD_OUTPUT),
    },
    Operation {
        name: "GetDashboard",
        input: &GET_DASHBOARD_INPUT,
        output: Some(&GET_DASHBOARD_OUTPUT),
    },
    Operation {
        name: "ListDashboards",
        input: &LIST_DASHBOARDS_INPUT,
        output: Some(&LIST_DASHBOARDS_OUTPUT),
    },
    Operation {
        name: "DeleteDashboards",
        input: &DELETE_DASHBOARDS_INPUT,
        output: Some(&DELETE_DASHBOARDS_OUTPUT),
    },
    Operation {
        name: "TagResource",
        input: &TAG_RESOURCE_INPUT,
        output: Some(&TAG_RESOURCE_OUTPUT),
    },
    Operation {
        name: "UntagResource",
        input: &UNTAG_RESOURCE_INPUT,
        output: Some(&UNTAG_RESOURCE_OUTPUT),
    },
    Operation {
        name: "ListTagsForResource",
        input: &LIST_TAGS_FOR_RESOURCE_INPUT,
        output: Some(&LIST_TAGS_FOR_RESOURCE_OUTPUT),
    },
];

/// Operations of the service that the local cloud knows of and does not perform.
pub(crate) static ABSENT_OPERATIONS: &[&str] = &[
    "AssociateDatasetKmsKey",
    "CreateResourceMetricsConfiguration",
    "DeleteAlarmMuteRule",
    "DeleteAnomalyDetector",
    "DeleteInsightRules",
    "DeleteMetricDataQueryDefinition",
    "DeleteMetricStream",
    "DeleteResourceMetricsConfiguration",
    "DescribeAlarmContributors",
    "DescribeAnomalyDetectors",
    "DescribeInsightRules",
    "DisableInsightRules",
    "DisassociateDatasetKmsKey",
    "EnableInsightRules",
    "GetAlarmMuteRule",
    "GetDataset",
    "GetInsightRuleReport",
    "GetMetricDataQueryDefinition",
    "GetMetricStream",
    "GetMetricWidgetImage",
    "GetOTelEnrichment",
    "GetResourceMetricsConfiguration",
    "ListAlarmMuteRules",
    "ListManagedInsightRules",
    "ListMetricDataQueryDefinitions",
    "ListMetricStreams",
    "PutAlarmMuteRule",
    "PutAnomalyDetector",
    "PutInsightRule",
    "PutLogAlarm",
    "PutManagedInsightRules",
    "PutMetricDataQueryDefinition",
    "PutMetricStream",
    "StartMetricStreams",
    "StartOTelEnrichment",
    "StopMetricStreams",
    "StopOTelEnrichment",
    "UpdateOTelEnrichment",
    "UpdateResourceMetricsConfiguration",
];

static NAMESPACE: Shape = Shape::Text { min: 1, max: 255 };

static METRIC_NAME: Shape = Shape::Text { min: 1, max: 255 };

static DIMENSION_NAME: Shape = Shape::Text { min: 1, max: 255 };

static DIMENSION_VALUE: Shape = Shape::Text { min: 1, max: 1024 };

static DIMENSION: Shape =
    Shape::Structure(&[required("Name", &DIMENSION_NAME), required("Value", &DIMENSION_VALUE)]);

static DIMENSIONS: Shape = Shape::List { of: &DIMENSION, min: 0, max: 30 };

static TIMESTAMP: Shape = Shape::Timestamp;

static DATAPOINT_VALUE: Shape = Shape::Double;

static STATISTIC_SET: Shape = Shape::Structure(&[
    required("SampleCount", &DATAPOINT_VALUE),
    required("Sum", &DATAPOINT_VALUE),
    required("Minimum", &DATAPOINT_VALUE),
    required("Maximum", &DATAPOINT_VALUE),
]);

static VALUES: Shape = Shape::List { of: &DATAPOINT_VALUE, min: 0, max: usize::MAX };

static COUNTS: Shape = Shape::List { of: &DATAPOINT_VALUE, min: 0, max: usize::MAX };

static STANDARD_UNIT: Shape = Shape::Choice(&[
    "Seconds",
    "Microseconds",
    "Milliseconds",
    "Bytes",
    "Kilobytes",
    "Megabytes",
    "Gigabytes",
    "Terabytes",
    "Bits",
    "Kilobits",
    "Megabits",
    "Gigabits",
    "Terabits",
    "Percent",
    "Count",
    "Bytes/Second",
    "Kilobytes/Second",
    "Megabytes/Second",
    "Gigabytes/Second",
    "Terabytes/Second",
    "Bits/Second",
    "Kilobits/Second",
    "Megabits/Second",
    "Gigabits/Second",
    "Terabits/Second",
    "Count/Second",
    "None",
]);

static STORAGE_RESOLUTION: Shape = Shape::Integer { min: 1, max: i64::MAX };

static METRIC_DATUM: Shape = Shape::Structure(&[
    required("MetricName", &METRIC_NAME),
    optional("Dimensions", &DIMENSIONS),
    optional("Timestamp", &TIMESTAMP),
    optional("Value", &DATAPOINT_VALUE),
    optional("StatisticValues", &STATISTIC_SET),
    optional("Values", &VALUES),
    optional("Counts", &COUNTS),
    optional("Unit", &STANDARD_UNIT),
    optional("StorageResolution", &STORAGE_RESOLUTION),
]);

static METRIC_DATA: Shape = Shape::List { of: &METRIC_DATUM, min: 0, max: usize::MAX };

static ENTITY_KEY_ATTRIBUTES_MAP_VALUE_STRING: Shape = Shape::Text { min: 1, max: 2048 };

static ENTITY_KEY_ATTRIBUTES_MAP: Shape =
    Shape::Map { of: &ENTITY_KEY_ATTRIBUTES_MAP_VALUE_STRING };

static ENTITY_ATTRIBUTES_MAP_VALUE_STRING: Shape = Shape::Text { min: 1, max: 2048 };

static ENTITY_ATTRIBUTES_MAP: Shape = Shape::Map { of: &ENTITY_ATTRIBUTES_MAP_VALUE_STRING };

static ENTITY: Shape = Shape::Structure(&[
    optional("KeyAttributes", &ENTITY_KEY_ATTRIBUTES_MAP),
    optional("Attributes", &ENTITY_ATTRIBUTES_MAP),
]);

static ENTITY_METRIC_DATA: Shape =
    Shape::Structure(&[optional("Entity", &ENTITY), optional("MetricData", &METRIC_DATA)]);

static ENTITY_METRIC_DATA_LIST: Shape =
    Shape::List { of: &ENTITY_METRIC_DATA, min: 0, max: usize::MAX };

static STRICT_ENTITY_VALIDATION: Shape = Shape::Boolean;

static PUT_METRIC_DATA_INPUT: Shape = Shape::Structure(&[
    required("Namespace", &NAMESPACE),
    optional("MetricData", &METRIC_DATA),
    optional("EntityMetricData", &ENTITY_METRIC_DATA_LIST),
    optional("StrictEntityValidation", &STRICT_ENTITY_VALIDATION),
]);

static METRIC_ID: Shape = Shape::Text { min: 1, max: 255 };

static METRIC: Shape = Shape::Structure(&[
    optional("Namespace", &NAMESPACE),
    optional("MetricName", &METRIC_NAME),
    optional("Dimensions", &DIMENSIONS),
]);

static PERIOD: Shape = Shape::Integer { min: 1, max: i64::MAX };

static STAT: Shape = Shape::Text { min: 0, max: usize::MAX };

static METRIC_STAT: Shape = Shape::Structure(&[
    required("Metric", &METRIC),
    required("Period", &PERIOD),
    required("Stat", &STAT),
    optional("Unit", &STANDARD_UNIT),
]);

static METRIC_EXPRESSION: Shape = Shape::Text { min: 1, max: 2048 };

static METRIC_LABEL: Shape = Shape::Text { min: 0, max: usize::MAX };

static RETURN_DATA: Shape = Shape::Boolean;

static ACCOUNT_ID: Shape = Shape::Text { min: 1, max: 255 };

static METRIC_DATA_QUERY: Shape = Shape::Structure(&[
    required("Id", &METRIC_ID),
    optional("MetricStat", &METRIC_STAT),
    optional("Expression", &METRIC_EXPRESSION),
    optional("Label", &METRIC_LABEL),
    optional("ReturnData", &RETURN_DATA),
    optional("Period", &PERIOD),
    optional("AccountId", &ACCOUNT_ID),
]);

static METRIC_DATA_QUERIES: Shape = Shape::List { of: &METRIC_DATA_QUERY, min: 0, max: usize::MAX };

static NEXT_TOKEN: Shape = Shape::Text { min: 0, max: usize::MAX };

static SCAN_BY: Shape = Shape::Choice(&["TimestampDescending", "TimestampAscending"]);

static GET_METRIC_DATA_MAX_DATAPOINTS: Shape = Shape::Integer { min: i64::MIN, max: i64::MAX };

static GET_METRIC_DATA_LABEL_TIMEZONE: Shape = Shape::Text { min: 0, max: usize::MAX };

static LABEL_OPTIONS: Shape =
    Shape::Structure(&[optional("Timezone", &GET_METRIC_DATA_LABEL_TIMEZONE)]);

static GET_METRIC_DATA_INPUT: Shape = Shape::Structure(&[
    required("MetricDataQueries", &METRIC_DATA_QUERIES),
    required("StartTime", &TIMESTAMP),
    required("EndTime", &TIMESTAMP),
    optional("NextToken", &NEXT_TOKEN),
    optional("ScanBy", &SCAN_BY),
    optional("MaxDatapoints", &GET_METRIC_DATA_MAX_DATAPOINTS),
    optional("LabelOptions", &LABEL_OPTIONS),
]);

static TIMESTAMPS: Shape = Shape::List { of: &TIMESTAMP, min: 0, max: usize::MAX };

static DATAPOINT_VALUES: Shape = Shape::List { of: &DATAPOINT_VALUE, min: 0, max: usize::MAX };

static STATUS_CODE: Shape =
    Shape::Choice(&["Complete", "InternalError", "PartialData", "Forbidden"]);

static MESSAGE_DATA_CODE: Shape = Shape::Text { min: 0, max: usize::MAX };

static MESSAGE_DATA_VALUE: Shape = Shape::Text { min: 0, max: usize::MAX };

static MESSAGE_DATA: Shape = Shape::Structure(&[
    optional("Code", &MESSAGE_DATA_CODE),
    optional("Value", &MESSAGE_DATA_VALUE),
]);

static METRIC_DATA_RESULT_MESSAGES: Shape =
    Shape::List { of: &MESSAGE_DATA, min: 0, max: usize::MAX };

static METRIC_DATA_RESULT: Shape = Shape::Structure(&[
    optional("Id", &METRIC_ID),
    optional("Label", &METRIC_LABEL),
    optional("Timestamps", &TIMESTAMPS),
    optional("Values", &DATAPOINT_VALUES),
    optional("StatusCode", &STATUS_CODE),
    optional("Messages", &METRIC_DATA_RESULT_MESSAGES),
]);

static METRIC_DATA_RESULTS: Shape =
    Shape::List { of: &METRIC_DATA_RESULT, min: 0, max: usize::MAX };

static GET_METRIC_DATA_OUTPUT: Shape = Shape::Structure(&[
    optional("MetricDataResults", &METRIC_DATA_RESULTS),
    optional("NextToken", &NEXT_TOKEN),
    optional("Messages", &METRIC_DATA_RESULT_MESSAGES),
]);

static STATISTIC: Shape = Shape::Choice(&["SampleCount", "Average", "Sum", "Minimum", "Maximum"]);

static STATISTICS: Shape = Shape::List { of: &STATISTIC, min: 1, max: 5 };

static EXTENDED_STATISTIC: Shape = Shape::Text { min: 0, max: usize::MAX };

static EXTENDED_STATISTICS: Shape = Shape::List { of: &EXTENDED_STATISTIC, min: 1, max: 10 };

static GET_METRIC_STATISTICS_INPUT: Shape = Shape::Structure(&[
    required("Namespace", &NAMESPACE),
    required("MetricName", &METRIC_NAME),
    optional("Dimensions", &DIMENSIONS),
    required("StartTime", &TIMESTAMP),
    required("EndTime", &TIMESTAMP),
    required("Period", &PERIOD),
    optional("Statistics", &STATISTICS),
    optional("ExtendedStatistics", &EXTENDED_STATISTICS),
    optional("Unit", &STANDARD_UNIT),
]);

static DATAPOINT_VALUE_MAP: Shape = Shape::Map { of: &DATAPOINT_VALUE };

static DATAPOINT: Shape = Shape::Structure(&[
    optional("Timestamp", &TIMESTAMP),
    optional("SampleCount", &DATAPOINT_VALUE),
    optional("Average", &DATAPOINT_VALUE),
    optional("Sum", &DATAPOINT_VALUE),
    optional("Minimum", &DATAPOINT_VALUE),
    optional("Maximum", &DATAPOINT_VALUE),
    optional("Unit", &STANDARD_UNIT),
    optional("ExtendedStatistics", &DATAPOINT_VALUE_MAP),
]);

static DATAPOINTS: Shape = Shape::List { of: &DATAPOINT, min: 0, max: usize::MAX };

static GET_METRIC_STATISTICS_OUTPUT: Shape =
    Shape::Structure(&[optional("Label", &METRIC_LABEL), optional("Datapoints", &DATAPOINTS)]);

static DIMENSION_FILTER: Shape =
    Shape::Structure(&[required("Name", &DIMENSION_NAME), optional("Value", &DIMENSION_VALUE)]);

static DIMENSION_FILTERS: Shape = Shape::List { of: &DIMENSION_FILTER, min: 0, max: 10 };

static RECENTLY_ACTIVE: Shape = Shape::Choice(&["PT3H"]);

static INCLUDE_LINKED_ACCOUNTS: Shape = Shape::Boolean;

static LIST_METRICS_INPUT: Shape = Shape::Structure(&[
    optional("Namespace", &NAMESPACE),
    optional("MetricName", &METRIC_NAME),
    optional("Dimensions", &DIMENSION_FILTERS),
    optional("NextToken", &NEXT_TOKEN),
    optional("RecentlyActive", &RECENTLY_ACTIVE),
    optional("IncludeLinkedAccounts", &INCLUDE_LINKED_ACCOUNTS),
    optional("OwningAccount", &ACCOUNT_ID),
]);

static METRICS: Shape = Shape::List { of: &METRIC, min: 0, max: usize::MAX };

static OWNING_ACCOUNTS: Shape = Shape::List { of: &ACCOUNT_ID, min: 0, max: usize::MAX };

static LIST_METRICS_OUTPUT: Shape = Shape::Structure(&[
    optional("Metrics", &METRICS),
    optional("NextToken", &NEXT_TOKEN),
    optional("OwningAccounts", &OWNING_ACCOUNTS),
]);

static ALARM_NAME: Shape = Shape::Text { min: 1, max: 255 };

static ALARM_DESCRIPTION: Shape = Shape::Text { min: 0, max: 1024 };

static ACTIONS_ENABLED: Shape = Shape::Boolean;

static RESOURCE_NAME: Shape = Shape::Text { min: 1, max: 1024 };

static RESOURCE_LIST: Shape = Shape::List { of: &RESOURCE_NAME, min: 0, max: 5 };

static EVALUATION_PERIODS: Shape = Shape::Integer { min: 1, max: i64::MAX };

static DATAPOINTS_TO_ALARM: Shape = Shape::Integer { min: 1, max: i64::MAX };

static THRESHOLD: Shape = Shape::Double;

static COMPARISON_OPERATOR: Shape = Shape::Choice(&[
    "GreaterThanOrEqualToThreshold",
    "GreaterThanThreshold",
    "LessThanThreshold",
    "LessThanOrEqualToThreshold",
    "LessThanLowerOrGreaterThanUpperThreshold",
    "LessThanLowerThreshold",
    "GreaterThanUpperThreshold",
]);

static TREAT_MISSING_DATA: Shape = Shape::Text { min: 1, max: 255 };

static EVALUATE_LOW_SAMPLE_COUNT_PERCENTILE: Shape = Shape::Text { min: 1, max: 255 };

static TAG_KEY: Shape = Shape::Text { min: 1, max: 128 };

static TAG_VALUE: Shape = Shape::Text { min: 0, max: 256 };

static TAG: Shape = Shape::Structure(&[required("Key", &TAG_KEY), required("Value", &TAG_VALUE)]);

static TAG_LIST: Shape = Shape::List { of: &TAG, min: 0, max: usize::MAX };

static TIMEZONE: Shape = Shape::Text { min: 1, max: 50 };

static WALL_CLOCK_WINDOW: Shape = Shape::Structure(&[optional("Timezone", &TIMEZONE)]);

static SLIDING_WINDOW: Shape = Shape::Structure(&[]);

static EVALUATION_WINDOW: Shape = Shape::Structure(&[
    optional("WallClockWindow", &WALL_CLOCK_WINDOW),
    optional("SlidingWindow", &SLIDING_WINDOW),
]);

static WARM_UP_PERIOD_DURATION_IN_MINUTES: Shape = Shape::Integer { min: 1, max: 2880 };

static ONLY_START_EVALUATING_AFTER_WARM_UP_PERIOD_ENDS: Shape = Shape::Boolean;

static WARM_UP_CONFIGURATION: Shape = Shape::Structure(&[
    required("WarmUpPeriodDurationInMinutes", &WARM_UP_PERIOD_DURATION_IN_MINUTES),
    optional(
        "OnlyStartEvaluatingAfterWarmUpPeriodEnds",
        &ONLY_START_EVALUATING_AFTER_WARM_UP_PERIOD_ENDS,
    ),
]);

static QUERY: Shape = Shape::Text { min: 1, max: 10000 };

static PENDING_PERIOD: Shape = Shape::Integer { min: 0, max: 86400 };

static RECOVERY_PERIOD: Shape = Shape::Integer { min: 0, max: 86400 };

static ALARM_PROM_QL_CRITERIA: Shape = Shape::Structure(&[
    required("Query", &QUERY),
    optional("PendingPeriod", &PENDING_PERIOD),
    optional("RecoveryPeriod", &RECOVERY_PERIOD),
]);

static EVALUATION_CRITERIA: Shape =
    Shape::Structure(&[optional("PromQLCriteria", &ALARM_PROM_QL_CRITERIA)]);

static EVALUATION_INTERVAL: Shape = Shape::Integer { min: 10, max: 3600 };

static ALARM_TAGS_PROPAGATION_ENABLED: Shape = Shape::Boolean;

static ALARM_TAGS_PROPAGATION_TAG_KEY: Shape = Shape::Text { min: 1, max: 128 };

static ALARM_TAGS_PROPAGATION_TAG_KEYS: Shape =
    Shape::List { of: &ALARM_TAGS_PROPAGATION_TAG_KEY, min: 1, max: 50 };

static ALARM_TAGS_PROPAGATION: Shape = Shape::Structure(&[
    required("Enabled", &ALARM_TAGS_PROPAGATION_ENABLED),
    optional("IncludedTagKeys", &ALARM_TAGS_PROPAGATION_TAG_KEYS),
    optional("ExcludedTagKeys", &ALARM_TAGS_PROPAGATION_TAG_KEYS),
]);

static ACTION_CONFIGURATION: Shape =
    Shape::Structure(&[optional("AlarmTagsPropagation", &ALARM_TAGS_PROPAGATION)]);

static PUT_METRIC_ALARM_INPUT: Shape = Shape::Structure(&[
    required("AlarmName", &ALARM_NAME),
    optional("AlarmDescription", &ALARM_DESCRIPTION),
    optional("ActionsEnabled", &ACTIONS_ENABLED),
    optional("OKActions", &RESOURCE_LIST),
    optional("AlarmActions", &RESOURCE_LIST),
    optional("InsufficientDataActions", &RESOURCE_LIST),
    optional("MetricName", &METRIC_NAME),
    optional("Namespace", &NAMESPACE),
    optional("Statistic", &STATISTIC),
    optional("ExtendedStatistic", &EXTENDED_STATISTIC),
    optional("Dimensions", &DIMENSIONS),
    optional("Period", &PERIOD),
    optional("Unit", &STANDARD_UNIT),
    optional("EvaluationPeriods", &EVALUATION_PERIODS),
    optional("DatapointsToAlarm", &DATAPOINTS_TO_ALARM),
    optional("Threshold", &THRESHOLD),
    optional("ComparisonOperator", &COMPARISON_OPERATOR),
    optional("TreatMissingData", &TREAT_MISSING_DATA),
    optional("EvaluateLowSampleCountPercentile", &EVALUATE_LOW_SAMPLE_COUNT_PERCENTILE),
    optional("Metrics", &METRIC_DATA_QUERIES),
    optional("Tags", &TAG_LIST),
    optional("ThresholdMetricId", &METRIC_ID),
    optional("EvaluationWindow", &EVALUATION_WINDOW),
    optional("WarmUpConfiguration", &WARM_UP_CONFIGURATION),
    optional("EvaluationCriteria", &EVALUATION_CRITERIA),
    optional("EvaluationInterval", &EVALUATION_INTERVAL),
    optional("ActionConfiguration", &ACTION_CONFIGURATION),
]);

static ALARM_RULE: Shape = Shape::Text { min: 1, max: 10240 };

static ALARM_ARN: Shape = Shape::Text { min: 1, max: 1600 };

static SUPPRESSOR_PERIOD: Shape = Shape::Integer { min: i64::MIN, max: i64::MAX };

static PUT_COMPOSITE_ALARM_INPUT: Shape = Shape::Structure(&[
    optional("ActionsEnabled", &ACTIONS_ENABLED),
    optional("AlarmActions", &RESOURCE_LIST),
    optional("AlarmDescription", &ALARM_DESCRIPTION),
    required("AlarmName", &ALARM_NAME),
    required("AlarmRule", &ALARM_RULE),
    optional("InsufficientDataActions", &RESOURCE_LIST),
    optional("OKActions", &RESOURCE_LIST),
    optional("Tags", &TAG_LIST),
    optional("ActionsSuppressor", &ALARM_ARN),
    optional("ActionsSuppressorWaitPeriod", &SUPPRESSOR_PERIOD),
    optional("ActionsSuppressorExtensionPeriod", &SUPPRESSOR_PERIOD),
    optional("ActionConfiguration", &ACTION_CONFIGURATION),
]);

static ALARM_NAMES: Shape = Shape::List { of: &ALARM_NAME, min: 0, max: 100 };

static ALARM_NAME_PREFIX: Shape = Shape::Text { min: 1, max: 255 };

static ALARM_TYPE: Shape = Shape::Choice(&["CompositeAlarm", "MetricAlarm", "LogAlarm"]);

static ALARM_TYPES: Shape = Shape::List { of: &ALARM_TYPE, min: 0, max: usize::MAX };

static STATE_VALUE: Shape = Shape::Choice(&["INSUFFICIENT_DATA", "ALARM", "OK"]);

static ACTION_PREFIX: Shape = Shape::Text { min: 1, max: 1024 };

static MAX_RECORDS: Shape = Shape::Integer { min: 1, max: 100 };

static DESCRIBE_ALARMS_INPUT: Shape = Shape::Structure(&[
    optional("AlarmNames", &ALARM_NAMES),
    optional("AlarmNamePrefix", &ALARM_NAME_PREFIX),
    optional("AlarmTypes", &ALARM_TYPES),
    optional("ChildrenOfAlarmName", &ALARM_NAME),
    optional("ParentsOfAlarmName", &ALARM_NAME),
    optional("StateValue", &STATE_VALUE),
    optional("ActionPrefix", &ACTION_PREFIX),
    optional("MaxRecords", &MAX_RECORDS),
    optional("NextToken", &NEXT_TOKEN),
]);

static STATE_REASON: Shape = Shape::Text { min: 0, max: 1023 };

static STATE_REASON_DATA: Shape = Shape::Text { min: 0, max: 4000 };

static ACTIONS_SUPPRESSED_BY: Shape = Shape::Choice(&["WaitPeriod", "ExtensionPeriod", "Alarm"]);

static ACTIONS_SUPPRESSED_REASON: Shape = Shape::Text { min: 0, max: 1024 };

static COMPOSITE_ALARM: Shape = Shape::Structure(&[
    optional("ActionsEnabled", &ACTIONS_ENABLED),
    optional("AlarmActions", &RESOURCE_LIST),
    optional("AlarmArn", &ALARM_ARN),
    optional("AlarmConfigurationUpdatedTimestamp", &TIMESTAMP),
    optional("AlarmDescription", &ALARM_DESCRIPTION),
    optional("AlarmName", &ALARM_NAME),
    optional("AlarmRule", &ALARM_RULE),
    optional("InsufficientDataActions", &RESOURCE_LIST),
    optional("OKActions", &RESOURCE_LIST),
    optional("StateReason", &STATE_REASON),
    optional("StateReasonData", &STATE_REASON_DATA),
    optional("StateUpdatedTimestamp", &TIMESTAMP),
    optional("StateValue", &STATE_VALUE),
    optional("StateTransitionedTimestamp", &TIMESTAMP),
    optional("ActionsSuppressedBy", &ACTIONS_SUPPRESSED_BY),
    optional("ActionsSuppressedReason", &ACTIONS_SUPPRESSED_REASON),
    optional("ActionsSuppressor", &ALARM_ARN),
    optional("ActionsSuppressorWaitPeriod", &SUPPRESSOR_PERIOD),
    optional("ActionsSuppressorExtensionPeriod", &SUPPRESSOR_PERIOD),
    optional("ActionConfiguration", &ACTION_CONFIGURATION),
]);

static COMPOSITE_ALARMS: Shape = Shape::List { of: &COMPOSITE_ALARM, min: 0, max: usize::MAX };

static EVALUATION_STATE: Shape =
    Shape::Choice(&["PARTIAL_DATA", "EVALUATION_FAILURE", "EVALUATION_ERROR"]);

static METRIC_ALARM: Shape = Shape::Structure(&[
    optional("AlarmName", &ALARM_NAME),
    optional("AlarmArn", &ALARM_ARN),
    optional("AlarmDescription", &ALARM_DESCRIPTION),
    optional("AlarmConfigurationUpdatedTimestamp", &TIMESTAMP),
    optional("ActionsEnabled", &ACTIONS_ENABLED),
    optional("OKActions", &RESOURCE_LIST),
    optional("AlarmActions", &RESOURCE_LIST),
    optional("InsufficientDataActions", &RESOURCE_LIST),
    optional("StateValue", &STATE_VALUE),
    optional("StateReason", &STATE_REASON),
    optional("StateReasonData", &STATE_REASON_DATA),
    optional("StateUpdatedTimestamp", &TIMESTAMP),
    optional("MetricName", &METRIC_NAME),
    optional("Namespace", &NAMESPACE),
    optional("Statistic", &STATISTIC),
    optional("ExtendedStatistic", &EXTENDED_STATISTIC),
    optional("Dimensions", &DIMENSIONS),
    optional("Period", &PERIOD),
    optional("Unit", &STANDARD_UNIT),
    optional("EvaluationPeriods", &EVALUATION_PERIODS),
    optional("DatapointsToAlarm", &DATAPOINTS_TO_ALARM),
    optional("Threshold", &THRESHOLD),
    optional("ComparisonOperator", &COMPARISON_OPERATOR),
    optional("TreatMissingData", &TREAT_MISSING_DATA),
    optional("EvaluateLowSampleCountPercentile", &EVALUATE_LOW_SAMPLE_COUNT_PERCENTILE),
    optional("Metrics", &METRIC_DATA_QUERIES),
    optional("ThresholdMetricId", &METRIC_ID),
    optional("EvaluationState", &EVALUATION_STATE),
    optional("StateTransitionedTimestamp", &TIMESTAMP),
    optional("EvaluationWindow", &EVALUATION_WINDOW),
    optional("WarmUpConfiguration", &WARM_UP_CONFIGURATION),
    optional("EvaluationCriteria", &EVALUATION_CRITERIA),
    optional("EvaluationInterval", &EVALUATION_INTERVAL),
    optional("ActionConfiguration", &ACTION_CONFIGURATION),
]);

static METRIC_ALARMS: Shape = Shape::List { of: &METRIC_ALARM, min: 0, max: usize::MAX };

/// The local cloud has none of them.
static LOG_ALARMS: Shape = Shape::List { of: &Shape::Structure(&[]), min: 0, max: usize::MAX };

static DESCRIBE_ALARMS_OUTPUT: Shape = Shape::Structure(&[
    optional("CompositeAlarms", &COMPOSITE_ALARMS),
    optional("LogAlarms", &LOG_ALARMS),
    optional("MetricAlarms", &METRIC_ALARMS),
    optional("NextToken", &NEXT_TOKEN),
]);

static DESCRIBE_ALARMS_FOR_METRIC_INPUT: Shape = Shape::Structure(&[
    required("MetricName", &METRIC_NAME),
    required("Namespace", &NAMESPACE),
    optional("Statistic", &STATISTIC),
    optional("ExtendedStatistic", &EXTENDED_STATISTIC),
    optional("Dimensions", &DIMENSIONS),
    optional("Period", &PERIOD),
    optional("Unit", &STANDARD_UNIT),
]);

static DESCRIBE_ALARMS_FOR_METRIC_OUTPUT: Shape =
    Shape::Structure(&[optional("MetricAlarms", &METRIC_ALARMS)]);

static DELETE_ALARMS_INPUT: Shape = Shape::Structure(&[required("AlarmNames", &ALARM_NAMES)]);

static SET_ALARM_STATE_INPUT: Shape = Shape::Structure(&[
    required("AlarmName", &ALARM_NAME),
    required("StateValue", &STATE_VALUE),
    required("StateReason", &STATE_REASON),
    optional("StateReasonData", &STATE_REASON_DATA),
]);

static CONTRIBUTOR_ID: Shape = Shape::Text { min: 1, max: 16 };

static HISTORY_ITEM_TYPE: Shape = Shape::Choice(&[
    "ConfigurationUpdate",
    "StateUpdate",
    "Action",
    "AlarmContributorStateUpdate",
    "AlarmContributorAction",
]);

static DESCRIBE_ALARM_HISTORY_INPUT: Shape = Shape::Structure(&[
    optional("AlarmName", &ALARM_NAME),
    optional("AlarmContributorId", &CONTRIBUTOR_ID),
    optional("AlarmTypes", &ALARM_TYPES),
    optional("HistoryItemType", &HISTORY_ITEM_TYPE),
    optional("StartDate", &TIMESTAMP),
    optional("EndDate", &TIMESTAMP),
    optional("MaxRecords", &MAX_RECORDS),
    optional("NextToken", &NEXT_TOKEN),
    optional("ScanBy", &SCAN_BY),
]);

static HISTORY_SUMMARY: Shape = Shape::Text { min: 1, max: 255 };

static HISTORY_DATA: Shape = Shape::Text { min: 1, max: 4095 };

static ATTRIBUTE_VALUE: Shape = Shape::Text { min: 1, max: 1024 };

static CONTRIBUTOR_ATTRIBUTES: Shape = Shape::Map { of: &ATTRIBUTE_VALUE };

static ALARM_HISTORY_ITEM: Shape = Shape::Structure(&[
    optional("AlarmName", &ALARM_NAME),
    optional("AlarmContributorId", &CONTRIBUTOR_ID),
    optional("AlarmType", &ALARM_TYPE),
    optional("Timestamp", &TIMESTAMP),
    optional("HistoryItemType", &HISTORY_ITEM_TYPE),
    optional("HistorySummary", &HISTORY_SUMMARY),
    optional("HistoryData", &HISTORY_DATA),
    optional("AlarmContributorAttributes", &CONTRIBUTOR_ATTRIBUTES),
]);

static ALARM_HISTORY_ITEMS: Shape =
    Shape::List { of: &ALARM_HISTORY_ITEM, min: 0, max: usize::MAX };

static DESCRIBE_ALARM_HISTORY_OUTPUT: Shape = Shape::Structure(&[
    optional("AlarmHistoryItems", &ALARM_HISTORY_ITEMS),
    optional("NextToken", &NEXT_TOKEN),
]);

static ENABLE_ALARM_ACTIONS_INPUT: Shape =
    Shape::Structure(&[required("AlarmNames", &ALARM_NAMES)]);

static DISABLE_ALARM_ACTIONS_INPUT: Shape =
    Shape::Structure(&[required("AlarmNames", &ALARM_NAMES)]);

static AMAZON_RESOURCE_NAME: Shape = Shape::Text { min: 1, max: 1024 };

static TAG_RESOURCE_INPUT: Shape = Shape::Structure(&[
    required("ResourceARN", &AMAZON_RESOURCE_NAME),
    required("Tags", &TAG_LIST),
]);

static TAG_RESOURCE_OUTPUT: Shape = Shape::Structure(&[]);

static TAG_KEY_LIST: Shape = Shape::List { of: &TAG_KEY, min: 0, max: usize::MAX };

static UNTAG_RESOURCE_INPUT: Shape = Shape::Structure(&[
    required("ResourceARN", &AMAZON_RESOURCE_NAME),
    required("TagKeys", &TAG_KEY_LIST),
]);

static UNTAG_RESOURCE_OUTPUT: Shape = Shape::Structure(&[]);

static LIST_TAGS_FOR_RESOURCE_INPUT: Shape =
    Shape::Structure(&[required("ResourceARN", &AMAZON_RESOURCE_NAME)]);

static LIST_TAGS_FOR_RESOURCE_OUTPUT: Shape = Shape::Structure(&[optional("Tags", &TAG_LIST)]);

static DASHBOARD_NAME: Shape = Shape::Text { min: 0, max: usize::MAX };

static DASHBOARD_BODY: Shape = Shape::Text { min: 0, max: usize::MAX };

static DASHBOARD_NAMES: Shape = Shape::List { of: &DASHBOARD_NAME, min: 0, max: usize::MAX };

static PUT_DASHBOARD_INPUT: Shape = Shape::Structure(&[
    required("DashboardName", &DASHBOARD_NAME),
    required("DashboardBody", &DASHBOARD_BODY),
    optional("Tags", &TAG_LIST),
]);

static DASHBOARD_VALIDATION_MESSAGE: Shape =
    Shape::Structure(&[optional("DataPath", &STAT), optional("Message", &STAT)]);

static DASHBOARD_VALIDATION_MESSAGES: Shape =
    Shape::List { of: &DASHBOARD_VALIDATION_MESSAGE, min: 0, max: usize::MAX };

static PUT_DASHBOARD_OUTPUT: Shape =
    Shape::Structure(&[optional("DashboardValidationMessages", &DASHBOARD_VALIDATION_MESSAGES)]);

static GET_DASHBOARD_INPUT: Shape = Shape::Structure(&[required("DashboardName", &DASHBOARD_NAME)]);

static GET_DASHBOARD_OUTPUT: Shape = Shape::Structure(&[
    optional("DashboardArn", &STAT),
    optional("DashboardBody", &DASHBOARD_BODY),
    optional("DashboardName", &DASHBOARD_NAME),
]);

static LIST_DASHBOARDS_INPUT: Shape = Shape::Structure(&[
    optional("DashboardNamePrefix", &DASHBOARD_NAME),
    optional("NextToken", &NEXT_TOKEN),
]);

static SIZE: Shape = Shape::Integer { min: i64::MIN, max: i64::MAX };

static DASHBOARD_ENTRY: Shape = Shape::Structure(&[
    optional("DashboardName", &DASHBOARD_NAME),
    optional("DashboardArn", &STAT),
    optional("LastModified", &TIMESTAMP),
    optional("Size", &SIZE),
]);

static DASHBOARD_ENTRIES: Shape = Shape::List { of: &DASHBOARD_ENTRY, min: 0, max: usize::MAX };

static LIST_DASHBOARDS_OUTPUT: Shape = Shape::Structure(&[
    optional("DashboardEntries", &DASHBOARD_ENTRIES),
    optional("NextToken", &NEXT_TOKEN),
]);

static DELETE_DASHBOARDS_INPUT: Shape =
    Shape::Structure(&[required("DashboardNames", &DASHBOARD_NAMES)]);

static DELETE_DASHBOARDS_OUTPUT: Shape = Shape::Structure(&[]);
