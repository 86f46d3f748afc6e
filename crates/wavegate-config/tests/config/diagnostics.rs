//! What people read when a manifest is wrong: one snapshot for each kind of problem.

use crate::support::{Over, load_text};

/// A head that makes the rest of a case the only thing that is wrong.
const HEAD: &str = "[app]\nname = \"shop\"\n";
const PIN: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const AUTH: &str = "[functions.auth]\ncode = \"functions/auth\"\nruntime = \"python3.13\"\nhandler = \"app.handler\"\n";

const MAIL: &str = "[functions.mail]\ncode = \"functions/mail\"\nruntime = \"python3.13\"\nhandler = \"app.handler\"\n";
const ROLE: &str = "arn:aws:iam::123456789012:role/shop";

/// A trigger of CodeDeploy's, with a comma behind it.
fn trigger(number: usize) -> String {
    let topic = "arn:aws:sns:eu-west-1:123456789012:t";
    format!("{{ name = \"t{number}\", topic = \"{topic}\", events = [\"DeploymentStart\"] }}, ")
}

/// A plugin's table with more keys.
fn plugin(keys: &str) -> String {
    format!("[plugins.ladder]\npath = \"plugins/ladder\"\n{keys}")
}

#[track_caller]
fn problems(text: &str, over: &Over) -> String {
    match load_text(text, over) {
        Ok(manifest) => panic!("{manifest:?} has no problems in\n{text}"),
        Err((problems, shown)) => {
            for problem in &problems {
                assert!(wavegate_config::ERRORS.iter().any(|(code, ..)| *code == problem.code));
            }
            shown
        }
    }
}

macro_rules! cases {
    ($($name:ident: $text:expr $(, $field:ident = $value:expr)*;)*) => {
        $(#[test]
        fn $name() {
            let over = Over::default();
            $(let over = Over { $field: $value, ..over };)*
            let text: String = $text.into();
            insta::assert_snapshot!(problems(&text, &over));
        })*
    };
}

cases! {
    syntax: format!("{HEAD}region = \n{AUTH}");
    syntax_of_a_key_given_twice: format!("{HEAD}name = \"b\"\n{AUTH}");
    unknown_key: format!("{HEAD}{AUTH}timeuot = \"3s\"\n");
    unknown_key_that_belongs_elsewhere: format!("{HEAD}{AUTH}region = \"eu-west-1\"\n");
    unknown_table: format!("{HEAD}{AUTH}[function.mail]\ncode = \"x\"\n");
    unknown_key_of_an_inline_table: format!("{HEAD}{AUTH}hooks = {{ before = [\"x\"] }}\n");
    unknown_key_of_a_profile_not_chosen: format!("{HEAD}{AUTH}[profiles.prod.app]\ntarggt = \"aws\"\n");
    unknown_key_from_the_environment: format!("{HEAD}{AUTH}"), env = vec![("WAVEGATE_APP__REGOIN", "secret-value")];
    unknown_key_from_a_flag: format!("{HEAD}{AUTH}"), flags = vec![("app.regoin", "x")];
    wrong_type: format!("{HEAD}max_parallel = \"many\"\n{AUTH}memory = 256\ndepends_on = \"auth\"\n");
    wrong_type_of_a_table: format!("{HEAD}local = 5\n[functions]\nauth = \"x\"\n");
    wrong_type_from_the_environment: format!("{HEAD}{AUTH}"), env = vec![("WAVEGATE_APP__MAX_PARALLEL", "secret-value")];
    missing_app_name: AUTH;
    missing_use: format!("{HEAD}{AUTH}strategy = \"a\"\n[strategies.a]\npercent = 1\n");
    bad_word: format!("{HEAD}target = \"asw\"\non_failure = \"explode\"\n{AUTH}");
    bad_region_and_bucket: format!("{HEAD}region = \"Seoul\"\nartifact_bucket = \"s3://b\"\n{AUTH}");
    unknown_profile: format!("{HEAD}{AUTH}[profiles.prod.app]\ntarget = \"aws\"\n"), profile = Some("prd");
    missing_variable: format!("{HEAD}region = \"${{env:REGION}}\"\n{AUTH}");
    malformed_interpolation: format!("{HEAD}{AUTH}description = \"${{env:A B}} ${{env:\"\n");
    an_engine_that_is_none: format!("{HEAD}engine = \"codedeply\"\n{AUTH}[codedeploy]\napplication = \"shop\"\n");
    codedeploy_without_a_role: format!("{HEAD}engine = \"codedeploy\"\ntarget = \"aws\"\n{AUTH}role = \"{ROLE}\"\n\
        {MAIL}role = \"{ROLE}\"\nengine = \"native\"\n");
    bad_values_of_codedeploy: format!("{HEAD}{AUTH}[codedeploy]\nrole = \"deploy\"\napplication = \"a/b\"\n\
        ignore_unreadable_alarms = 1\ntrigers = []\n{MAIL}codedeploy = {{ group = \"\", application = \"shop\" }}\n");
    bad_triggers: format!("{HEAD}engine = \"codedeploy\"\n{AUTH}[[codedeploy.triggers]]\nname = \"a\"\ntopic = \"{ROLE}\"\n\
        events = [\"DeploymentFialure\"]\n[[codedeploy.triggers]]\nname = \"b\"\n[[codedeploy.triggers]]\nname = \"b\"\n\
        topic = \"arn:aws:sns:eu-west-1:123456789012:t\"\nevents = []\nevent = 1\n");
    too_many_triggers: format!("{HEAD}{AUTH}[codedeploy]\ntriggers = [{}]\n", (0..11).map(trigger).collect::<String>());
    a_deployment_group_without_its_application: format!("{HEAD}engine = \"codedeploy\"\n{AUTH}codedeploy = {{ group = \"shop-auth\" }}\n");
    one_deployment_group_for_two_functions: format!("{HEAD}engine = \"codedeploy\"\n{AUTH}{MAIL}[codedeploy]\n\
        application = \"shop\"\ngroup = \"all\"\n");
    a_deployment_group_that_another_function_gets: format!("{HEAD}engine = \"codedeploy\"\n{AUTH}{MAIL}\
        codedeploy = {{ application = \"wavegate-shop\", group = \"auth-live\" }}\n");
    more_hooks_than_codedeploy_calls: format!("{HEAD}engine = \"codedeploy\"\n{AUTH}\
        hooks = {{ pre_traffic = [\"one\", \"two\", \"three\"], post_traffic = [\"one\"] }}\n\
        [hooks.one]\nuse = \"lambda\"\nfunction = \"x\"\n[hooks.two]\nuse = \"command\"\n[hooks.three]\nuse = \"lambda\"\nfunction = \"y\"\n");
    what_codedeploy_cannot_do_for_a_hook: format!("{HEAD}engine = \"codedeploy\"\n{AUTH}\
        hooks = {{ pre_traffic = [\"one\"], post_traffic = [\"two\"] }}\n\
        [hooks.one]\nuse = \"lambda\"\nfunction = \"not a name\"\nqualifier = \"live\"\npayload = {{}}\n[hooks.two]\nuse = \"lambda\"\n");
    overrides_that_set_no_key: format!("{HEAD}{AUTH}"),
        env = vec![("WAVEGATE_APP____X", "1"), ("WAVEGATE_PROFILES__A__APP__NAME", "1")],
        flags = vec![("app..x", "1")];
    bad_names: "[app]\nname = \"my shop\"\nalias = \"wavegate-live\"\n[functions.\"a b\"]\nname = \"c d\"\n\
        code = \"functions/auth\"\nruntime = \"python3.13\"\nhandler = \"a.b\"\n";
    bad_durations: format!("{HEAD}{AUTH}timeout = \"10\"\nbake = \"1 hour\"\n");
    timeout_out_of_range: format!("{HEAD}{AUTH}timeout = \"2h\"\n");
    bad_sizes: format!("{HEAD}{AUTH}memory = \"64MB\"\nephemeral_storage = \"lots\"\n");
    number_out_of_range: format!("{HEAD}max_parallel = 0\n{AUTH}[local]\ntime_scale = nan\nport = 70000\n");
    bad_arns: format!("{HEAD}{AUTH}role = \"shop\"\nlayers = [\"deps\"]\ndead_letter = \"arn:aws:s3:::x\"\n");
    no_code: format!("{HEAD}[functions.auth]\nruntime = \"python3.13\"\nhandler = \"app.handler\"\n");
    code_and_image: format!("{HEAD}{AUTH}image = \"x:1\"\n");
    code_that_is_not_there: format!("{HEAD}{AUTH}").replace("functions/auth", "functions/atuh");
    code_that_is_no_directory: format!("{HEAD}{AUTH}").replace("functions/auth", "notes.txt");
    code_url: format!("{HEAD}{AUTH}").replace("functions/auth", "s3://bucket");
    no_handler_and_runtime: format!("{HEAD}[functions.auth]\ncode = \"functions/auth\"\n");
    no_role_on_aws: format!("{HEAD}target = \"aws\"\n{AUTH}");
    unknown_function: format!("{HEAD}{AUTH}depends_on = [\"mial\"]\n{}", AUTH.replace("auth", "mail"));
    cycle: format!(
        "{HEAD}{}depends_on = [\"mail\"]\n{}depends_on = [\"auth\"]\n{}depends_on = [\"checkout\"]\n",
        AUTH, AUTH.replace("auth", "checkout"), AUTH.replace("auth", "mail")
    );
    self_dependency: format!("{HEAD}{AUTH}depends_on = [\"auth\"]\n");
    unknown_strategy: format!("{HEAD}{AUTH}strategy = \"carefull\"\n[strategies.careful]\nuse = \"canary\"\n");
    a_component_is_no_strategy: format!("{HEAD}{AUTH}strategy = \"canary\"\n");
    unknown_hook: format!("{HEAD}{AUTH}hooks = {{ pre_traffic = [\"smoek\"] }}\n[hooks.smoke]\nuse = \"command\"\n");
    unknown_alarm: format!("{HEAD}{AUTH}alarms = [\"errors\"]\n");
    unknown_components: format!(
        "{HEAD}{AUTH}strategy = \"a\"\nhooks = {{ on_rollback = [\"b\"] }}\nalarms = [\"c\"]\n\
         [strategies.a]\nuse = \"canery\"\n[hooks.b]\nuse = \"webhook\"\n[alarms.c]\nuse = \"cloudwatch\"\n"
    );
    malformed_aws_names: format!("{HEAD}{AUTH}strategy = \"Canary100Percent5Minutes\"\n");
    the_same_name_in_lambda: format!("{HEAD}{AUTH}{}name = \"auth\"\n", AUTH.replace("auth", "mail"));
    no_functions: HEAD;
    a_strategy_under_an_aws_name: format!("{HEAD}{AUTH}strategy = \"AllAtOnce\"\n[strategies.AllAtOnce]\nuse = \"all-at-once\"\n");
    keys_that_do_not_go_with_an_image: format!("{HEAD}[functions.auth]\nimage = \"x:1\"\nhandler = \"a.b\"\n");
    refused_variables: format!("{HEAD}{AUTH}environment = {{ AWS_REGION = \"x\", \"1A\" = \"y\" }}\n");
    incomplete_vpc: format!("{HEAD}{AUTH}vpc = {{ subnets = [\"subnet-1\"] }}\n");
    too_many_layers: format!("{HEAD}{AUTH}layers = [{}]\n", "\"arn:aws:lambda:eu-west-1:123456789012:layer:deps:7\", ".repeat(6));
    a_plugin_without_path: format!("{HEAD}{AUTH}[plugins.ladder]\nbuiltin = true\n");
    a_plugin_whose_path_names_no_file: format!("{HEAD}{AUTH}{}", plugin("").replace("plugins/ladder", "plugins/"));
    a_plugin_of_a_bad_name: format!("{HEAD}{AUTH}{}", plugin("").replace("[plugins.ladder]", "[plugins.\"a.b\"]"));
    bad_values_of_a_plugin: format!("{HEAD}{AUTH}{}", plugin(
        "isolation = \"in_process\"\nenv = [\"AWS_REGION\", \"A=B\"]\ntimeout = \"0s\"\nmax_in_flight = 0\nmemory = \"1MB\"\nbuiltin = \"yes\"\n"
    ));
    unknown_key_of_a_plugin: format!("{HEAD}{AUTH}{}", plugin("isolatoin = \"in-process\"\n"));
    malformed_pins: format!("{HEAD}{AUTH}{}", plugin(&format!(
        "[plugins.ladder.sha256]\nlinux = \"{PIN}\"\nx86_64-unknown-linux-gnu = \"{}\"\n\
         aarch64-apple-darwin = \"{}\"\nx86_64-pc-windows-msvc = \"sha256:{PIN}\"\n",
        PIN.to_uppercase(), &PIN[1..]
    )));
    a_pin_that_is_no_table: format!("{HEAD}{AUTH}{}", plugin(&format!("sha256 = \"{PIN}\"\n")));
    bounds_of_a_plugin_that_has_no_process: format!("{HEAD}region = 1\n{AUTH}{}", plugin(
        "isolation = \"in-process\"\nenv = [\"A\", \"A\"]\nmemory = \"2GB\"\n"
    ));
    a_plugin_of_a_profile_not_chosen: format!("{HEAD}{AUTH}[profiles.prod.plugins.ladder]\nmemory = 5\n");
    two_problems_in_one_file: format!("{HEAD}{AUTH}timeout = \"10\"\nstrategy = \"careful\"\n");
    warnings_beside_an_error: format!(
        "{HEAD}{AUTH}bake = \"1m\"\ntimeout = \"10\"\n{}depends_on = [\"auth\", \"auth\"]\n[hooks.idle]\nuse = \"command\"\n",
        AUTH.replace("auth", "mail")
    );
    a_problem_in_defaults_is_said_once: format!(
        "{HEAD}[defaults]\nrole = \"shop\"\nalarms = [\"errors\"]\n{AUTH}{}", AUTH.replace("auth", "mail")
    );
}

#[test]
fn a_file_that_is_not_there_is_said() {
    let request =
        wavegate_config::Request { path: "nowhere/deploy.toml".into(), ..Default::default() };
    let problems = wavegate_config::load(&request).unwrap_err();
    insta::assert_snapshot!(crate::support::render(&problems));
}

#[test]
fn a_file_that_is_not_text_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("deploy.toml");
    std::fs::write(&path, b"[app]\nname = \"\xff\"\n").unwrap();
    let problems = wavegate_config::load(&wavegate_config::Request { path, ..Default::default() })
        .unwrap_err();
    let place = &problems.iter().next().unwrap().place;
    assert_eq!((place.line(), place.column()), (Some(2), Some(9)));
}

#[test]
fn every_code_of_the_catalogue_is_shown_by_a_case() {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/config/snapshots");
    let shown: String = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect();
    for (code, title, _) in wavegate_config::ERRORS {
        assert!(shown.contains(code), "{code}: {title}");
    }
}
