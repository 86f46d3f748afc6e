//! The catalogue of problems: one code, title and explanation each, for `wavegate explain`.
//!
//! Codes are stable: a code that is no longer used is retired, never given to another problem.

macro_rules! catalogue {
    ($($name:ident = $code:literal, $title:literal, $text:literal;)*) => {
        $(#[doc = $title] pub(crate) const $name: &str = $code;)*

        /// Every problem of a manifest: code, title, explanation.
        pub const ERRORS: &[(&str, &str, &str)] = &[$(($code, $title, $text)),*];
    };
}

catalogue! {
    UNREADABLE = "WG100", "the manifest cannot be read",
        "The file does not exist, is a directory, is too large or may not be read. Run wavegate in a \
         directory that holds a deploy.toml or in one beneath it, or name the file. `wavegate init` \
         writes a new one.";
    SYNTAX = "WG101", "the manifest is not TOML",
        "The text breaks TOML's rules at the place shown, so nothing after it could be understood. \
         Strings are quoted, tables are headed `[like.this]`, and a key may be given once per table. \
         Once the syntax is right, all other problems are reported at once.";
    UNKNOWN_KEY = "WG102", "a key that wavegate does not know",
        "Every key must be one that has a meaning, so that a typo never passes for a default. The \
         closest known key is suggested. Keys of [strategies.NAME], [hooks.NAME] and [alarms.NAME] \
         beside `use` belong to the component and are judged by it.";
    WRONG_TYPE = "WG103", "a value of the wrong type",
        "The key takes another type than the one given: durations and sizes are strings (\"90s\", \
         \"256MB\"), counts are integers, lists stand in square brackets. A value from a WAVEGATE_* \
         variable or a flag is read by the type that the key takes; lists may be written with commas.";
    MISSING_KEY = "WG104", "a key that must be there is missing",
        "The table cannot be used without the key. No layer gave it: not the file, not the profile, \
         not a variable, not a flag.";
    BAD_VALUE = "WG105", "a value that the key does not take",
        "The value has the right type but is not one of those that the key takes, or does not have \
         the form it must have.";
    UNKNOWN_PROFILE = "WG106", "a profile that does not exist",
        "The profile that was asked for has no [profiles.NAME] table in the manifest.";
    MISSING_VARIABLE = "WG107", "an environment variable that is not set",
        "`${env:NAME}` takes the value of an environment variable, and this one is not set. Set it, or \
         give a default: `${env:NAME:-default}`.";
    BAD_INTERPOLATION = "WG108", "a malformed reference to the environment",
        "References have the form `${env:NAME}` or `${env:NAME:-default}`; a name holds letters, \
         digits and `_`. To have the text itself, double the dollar: `$${env:NAME}`.";
    BAD_OVERRIDE = "WG110", "a variable or flag that sets no key",
        "WAVEGATE_* variables name a key by its levels, with two underscores between: \
         WAVEGATE_APP__REGION sets app.region. Flags name it with dots. Profiles cannot be set this way.";
    BAD_NAME = "WG111", "a name that is not legal",
        "Names become names in AWS or parts of them, so they keep to its rules: letters, digits, `-` \
         and `_`, and a limited length. Some alias names are kept for wavegate's own aliases.";
    BAD_DURATION = "WG112", "a duration that cannot be read, or is out of range",
        "Durations are whole numbers with units, the larger units first: \"250ms\", \"90s\", \"10m\", \
         \"1h30m\", \"2d\". A Lambda timeout is in whole seconds.";
    BAD_SIZE = "WG113", "a size that cannot be read, or is out of range",
        "Sizes are numbers with a unit: \"256MB\", \"1GB\", \"1.5GB\". 1 GB is 1024 MB, as Lambda counts.";
    OUT_OF_RANGE = "WG114", "a number that is out of range",
        "The key takes numbers from a lowest to a highest one, and this is outside.";
    BAD_ARN = "WG115", "an ARN that does not look like one",
        "The value must be the ARN of the kind of resource that the key takes: a role \
         (arn:aws:iam::123456789012:role/NAME), a layer version \
         (arn:aws:lambda:REGION:ACCOUNT:layer:NAME:VERSION), a queue or a topic.";
    CODE_SOURCE = "WG116", "a function without code, or with two sources of it",
        "A function's code is either `code` (a directory, a .zip file or s3://bucket/key) or `image` (a \
         container image's URI): exactly one of them, in the function or in [defaults].";
    CODE_PATH = "WG117", "code that is not there",
        "`code` names a path that does not exist, or something that is neither a directory nor a .zip \
         file. Paths are relative to the directory of the manifest.";
    CODE_URL = "WG118", "a malformed S3 URL",
        "Code in S3 is named s3://bucket/key.";
    HANDLER = "WG119", "a function without handler or runtime",
        "Lambda runs code from a directory, a .zip file or S3 with a `runtime` and a `handler`. Nothing \
         is guessed from the code. Give them in the function or in [defaults].";
    ROLE = "WG120", "a function without role",
        "On AWS every function runs under an execution role. Give its ARN as `role` in the function or \
         in [defaults]. The local cloud does without.";
    UNKNOWN_FUNCTION = "WG121", "a dependency that does not exist",
        "`depends_on` names functions of this app by their keys, the NAME in [functions.NAME].";
    CYCLE = "WG122", "functions that depend on each other in a circle",
        "The order of a release follows the dependencies: a function takes traffic when all it depends \
         on are done. In a circle none can be first. Take one of the arrows away.";
    SELF_DEPENDENCY = "WG123", "a function that depends on itself",
        "A function cannot wait for itself. Take its name out of its `depends_on`; if the list stands \
         in [defaults], give this function its own.";
    UNKNOWN_STRATEGY = "WG124", "a strategy that does not exist",
        "`strategy` names a [strategies.NAME] table, or an AWS deployment config such as AllAtOnce, \
         Canary10Percent5Minutes or Linear10PercentEvery1Minute.";
    UNKNOWN_HOOK = "WG125", "a hook that does not exist",
        "`hooks` name [hooks.NAME] tables.";
    UNKNOWN_ALARM = "WG126", "an alarm that does not exist",
        "`alarms` name [alarms.NAME] tables.";
    UNKNOWN_COMPONENT = "WG127", "a component that does not exist",
        "`use` names a component that ships with wavegate, or one that a plugin of [plugins] has: a \
         strategy, a hook or an alarm provider, according to the table it stands in.";
    BAD_AWS_NAME = "WG128", "a malformed name of a deployment config",
        "Names of the form Canary<P>Percent<N>Minutes and Linear<P>PercentEvery<N>Minutes are read as \
         AWS's, for any percentage from 1 to 99 and any number of minutes.";
    SAME_NAME = "WG129", "two functions with the same name in Lambda",
        "Two tables would deploy to one function. Give one of them another `name`.";
    NO_FUNCTIONS = "WG130", "an app without functions",
        "There is nothing to deploy: the manifest has no [functions.NAME] table.";
    LISTED_TWICE = "WG131", "a name listed twice",
        "The list holds the same name twice. The second one means nothing and is left out.";
    TAKEN_NAME = "WG132", "a strategy under one of AWS's names",
        "The table's name is also the name of an AWS deployment config, so a reader could not tell \
         which is meant. Rename the table.";
    UNUSED = "WG133", "a table that no function uses",
        "The strategy, hook or alarm is defined and never named by a function. Nothing comes of it.";
    IDLE_BAKE = "WG134", "a bake without alarms",
        "Baking means watching alarms after promotion. Without alarms it only waits.";
    IMAGE_KEYS = "WG135", "a key that does not go with an image",
        "A container image brings its own runtime, handler and libraries: Lambda refuses `runtime`, \
         `handler` and `layers` for it. Those in [defaults] are left out for images.";
    BAD_VARIABLE = "WG136", "an environment variable that Lambda refuses",
        "Names of a function's environment variables start with a letter and hold letters, digits and \
         `_`, two characters at least. Names that Lambda sets itself are reserved. All names and \
         values together may have 4096 bytes.";
    BAD_VPC = "WG137", "an incomplete VPC",
        "Lambda takes subnets and security groups together: at least one of each.";
    TOO_MANY = "WG138", "more than AWS takes",
        "The list is longer than AWS takes: a function has 5 layers at most, and a deployment group of \
         CodeDeploy 10 triggers.";
    BAD_PIN = "WG139", "a malformed pin of a plugin",
        "[plugins.NAME.sha256] holds the SHA-256 of the plugin's library for each platform it is built \
         for: a target triple such as x86_64-unknown-linux-gnu, and exactly 64 lower-case hexadecimal \
         digits. `wavegate plugin pin NAME` writes it.";
    NO_EFFECT = "WG140", "a key that has no effect",
        "`env` and `memory` of a plugin bound the process that it runs in. With isolation = \
         \"in-process\" there is none: the plugin sees every variable, and may allocate what wavegate may. \
         Keys of `codedeploy` count for functions with engine = \"codedeploy\" only; a deployment group \
         that is named is somebody else's, and keeps its own role and triggers; and a hook that CodeDeploy \
         calls has one hour, whatever its `timeout` says.";
    SERVICE_ROLE = "WG141", "a deployment group without a service role",
        "CodeDeploy reads alarms, calls hooks and moves traffic under a service role. Where wavegate makes \
         the deployment group on AWS, give the role's ARN as `role` in [codedeploy] or in `codedeploy` of \
         the function: a role that codedeploy.amazonaws.com may assume, with AWS's policy \
         AWSCodeDeployRoleForLambda. The local cloud does without.";
    DEPLOYMENT_GROUP = "WG142", "a deployment group that cannot be used",
        "`group` in `codedeploy` names a deployment group that somebody else made, so its `application` \
         has to be named too. CodeDeploy runs one deployment of a group at a time, so each function has \
         its own group.";
    DEPLOYMENT_HOOK = "WG143", "a hook that CodeDeploy cannot call",
        "With engine = \"codedeploy\" the `lambda` hook in `pre_traffic` and the one in `post_traffic` are \
         called by CodeDeploy, which calls one function before it moves traffic and one after, and calls \
         what is unpublished of it. Hooks of other kinds, and those in `on_rollback`, are wavegate's to run, \
         as many as there are.";
    TEMPLATE_SYNTAX = "WG150", "a template that cannot be read",
        "The file is not there, is neither YAML nor JSON at the place shown, or is more than a template can \
         be. Nothing after that place could be understood; once it is right, everything else is reported at once.";
    TEMPLATE_SHAPE = "WG151", "a template of another shape",
        "A part of the template is not what it must be there: a map of resources, a list of alarms, a \
         single value. What the property takes is said.";
    TEMPLATE_REFERENCE = "WG152", "a reference to what the template does not have",
        "`Ref`, `GetAtt`, `Sub`, `FindInMap`, conditions and `${self:...}` lead to something in the same \
         file. This one leads nowhere, so CloudFormation or the Serverless Framework would refuse it too.";
    TEMPLATE_INTRINSIC = "WG153", "an intrinsic function or a variable that is malformed",
        "The form that CloudFormation or the Serverless Framework takes is shown. Functions that exist \
         and whose value is only known at deployment are no error: they become `${env:NAME}`.";
    TEMPLATE_PARAMETER = "WG154", "a parameter that the template does not take",
        "`--parameter` gives a value to one of the template's Parameters or to a pseudo parameter such as \
         AWS::Region. The template declares no such parameter, or does not allow the value.";
    TEMPLATE_DEPLOYMENT = "WG155", "deployment settings that contradict themselves",
        "SAM takes a DeploymentPreference only with an AutoPublishAlias, and wants a Type where it is \
         enabled; serverless-plugin-canary-deployments wants an alias. Deployed as it is, it would be refused.";
    TEMPLATE_EMPTY = "WG156", "nothing to import",
        "The template has no function that would be deployed: none at all, or none whose condition holds \
         with these parameters.";
    TEMPLATE_VALUE = "WG157", "a value that the property does not take",
        "The property takes another kind of value than the one that the template comes to, such as a \
         number of megabytes or a name of letters, digits, `-` and `_`.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_in_order() {
        for pair in ERRORS.windows(2) {
            assert!(pair[0].0 < pair[1].0, "{} before {}", pair[0].0, pair[1].0);
        }
        for (code, title, text) in ERRORS {
            assert!(code.starts_with("WG1") && code.len() == 5, "{code}");
            assert!(!title.ends_with('.') && text.ends_with('.'), "{code}");
            assert!(!text.contains("  "), "{code}");
        }
    }
}
