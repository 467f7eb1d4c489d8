//! `docs/idl.json`: what the program looks like to Solana's tools, generated, and read back as a foreign client would.

mod codec;
mod generate;
mod source;

use std::collections::BTreeSet;

use anchor_lang_idl_spec::{Idl, IdlInstructionAccountItem};
use dz_sdk::instruction::{self as ix, access_pass::PassLimits};
use dz_serviceability::{
    ID as P,
    instruction::CreateDeviceArgs,
    lists::{ALL, Presence},
    pda,
    state::{
        AccountData, AccountType, Bootstrap, ConfigNumbers, DeviceCaps, DeviceType, Header, Roles, User,
        UserAllocation, UserStatus, UserType,
    },
};
use serde_json::json;
use solana_instruction::{AccountMeta, Instruction};
use solana_pubkey::Pubkey;
use strum::IntoEnumIterator;

use self::{codec::Client, generate::idl};
use crate::{
    model::played,
    support::{ip, net},
};

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/idl.json");

/// The IDL as it is checked in, read by the types of Anchor's own parser.
fn checked_in() -> Idl {
    serde_json::from_str(&std::fs::read_to_string(PATH).unwrap()).unwrap()
}

fn key(byte: u8) -> Pubkey {
    Pubkey::new_from_array([byte; 32])
}

/// `UPDATE_DOCS=1` writes it again.
#[test]
fn the_idl_in_the_docs_is_the_programs() {
    let text = serde_json::to_string_pretty(&idl()).unwrap() + "\n";
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(PATH, &text).unwrap();
    }
    assert!(std::fs::read_to_string(PATH).unwrap_or_default() == text, "docs/idl.json is another one: UPDATE_DOCS=1");
    assert_eq!(checked_in(), idl());
}

/// An account, byte by byte in the order of the program's own test of the layout, has the names that the IDL gives them.
#[test]
fn an_account_is_read_by_the_idl() {
    let user = User {
        client_ip: ip("9.1.0.1"),
        endpoint_ip: ip("9.0.1.1"),
        owner: key(1),
        access_pass: key(2),
        device: key(3),
        interface: key(4),
        user_type: UserType::Multicast,
        tenant: None,
        status: UserStatus::Updating,
        allocation: Some(UserAllocation {
            tunnel_net: net("169.254.0.2/31"),
            tunnel_pool: key(5),
            tunnel_id: 500,
            dz_ip: ip("148.51.120.1"),
            dz_ip_pool: Some(key(6)),
        }),
        publishers: vec![key(7)],
        subscribers: vec![],
        reject_reason: "no room".to_owned(),
    };
    let data = user.encode_with(&Header { life: 1 << 40, rent_payer: key(9) });
    let idl = checked_in();
    let (name, value) = Client(&idl).account(&data);
    assert_eq!(name, "User");
    let expected = json!({
        "life": 1u64 << 40,
        "rent_payer": key(9).to_string(),
        "client_ip": [9, 1, 0, 1],
        "endpoint_ip": [9, 0, 1, 1],
        "owner": key(1).to_string(),
        "access_pass": key(2).to_string(),
        "device": key(3).to_string(),
        "interface": key(4).to_string(),
        "user_type": { "Multicast": {} },
        "tenant": null,
        "status": { "Updating": {} },
        "allocation": {
            "tunnel_net": { "address": [169, 254, 0, 2], "prefix_len": 31 },
            "tunnel_pool": key(5).to_string(),
            "tunnel_id": 500,
            "dz_ip": [148, 51, 120, 1],
            "dz_ip_pool": key(6).to_string(),
        },
        "publishers": [key(7).to_string()],
        "subscribers": [],
        "reject_reason": "no room",
    });
    assert_eq!(value, expected);
    assert_eq!(Client(&idl).account_data("User", &expected), data);
}

/// Instructions that a foreign client builds from names are the sdk's to the byte. What the IDL says the place of is not
/// given.
#[test]
fn an_instruction_is_built_by_the_idl() {
    let idl = checked_in();
    let client = Client(&idl);
    let (client_ip, endpoint_ip) = (ip("9.1.0.1"), ip("9.0.1.1"));
    let roles = vec![(key(7), Roles { publish: true, subscribe: false })];
    let wanted = ix::user::CreateUser {
        access_pass: key(2),
        device: key(3),
        interface: key(4),
        client_ip,
        endpoint_ip,
        user_type: UserType::Multicast,
        tenant: None,
        roles,
        old_payer: Some(key(8)),
        named_pass: None,
    };
    let args = json!({
        "life": 0,
        "client_ip": [9, 1, 0, 1],
        "endpoint_ip": [9, 0, 1, 1],
        "user_type": { "Multicast": {} },
        "roles": [{ "publish": true, "subscribe": false }],
    });
    let given = [
        ("signer", key(1)),
        ("access_pass", key(2)),
        ("device", key(3)),
        ("interface", key(4)),
        ("clients", ix::clients(&P, client_ip)),
        ("registry", ix::registry(&P, client_ip)),
        ("old_payer", key(8)),
    ];
    let built = client.build("create_user", args, &given, &[AccountMeta::new(key(7), false)]);
    assert_eq!(built, ix::user::create_user(&P, &key(1), wanted));

    let numbers = ConfigNumbers { local_asn: 1 << 30, ..ConfigNumbers::default() };
    let args = json!({ "life": 0, "args": {
        "local_asn": 1 << 30,
        "remote_asn": 65_000,
        "endpoint_loopback_first": 100,
        "endpoint_loopback_last": 199,
        "min_contributor_prefix": 29,
        "endpoints_per_device": 2,
        "same_metro_routing": true,
        "kept_blocks": 0,
    }});
    let built = client.build("init_global_config", args, &[("signer", key(1)), ("vrf_ids", ix::vrf_ids(&P))], &[]);
    assert_eq!(built, ix::global_config::init_global_config(&P, &key(1), numbers));
}

/// The place of whatever is created under a code follows from the code.
#[test]
fn the_idl_says_where_things_are() {
    let idl = checked_in();
    let client = Client(&idl);
    let signer = ("signer", key(1));
    let built = client.build(
        "create_exchange",
        json!({ "life": 0, "code": "nyc", "name": "New York", "latitude": -1,
        "longitude": 2 }),
        &[signer],
        &[],
    );
    assert_eq!(built, ix::exchange::create_exchange(&P, &key(1), "nyc", "New York", -1, 2));
    let built = client.build(
        "create_tenant",
        json!({ "life": 0, "code": "acme", "administrators": [key(2).to_string()] }),
        &[signer],
        &[],
    );
    assert_eq!(built, ix::tenant::create_tenant(&P, &key(1), "acme", vec![key(2)]));
    let args = CreateDeviceArgs {
        code: "nyc1".to_owned(),
        device_type: DeviceType::Edge,
        public_ip: ip("9.0.0.1"),
        bootstrap: Bootstrap::Carve { prefix_len: 28 },
        endpoints_wanted: None,
        tunnel_slots: 4096,
        caps: DeviceCaps::default(),
    };
    let device = pda::device(&P, "nyc1").0;
    let given = [
        signer,
        ("contributor", key(2)),
        ("exchange", key(3)),
        ("registry", ix::registry(&P, ip("9.0.0.1"))),
        ("clients", ix::clients(&P, ip("9.0.0.1"))),
        ("tunnel_ids", ix::tunnel_ids(&P, &device)),
        ("loopbacks", ix::endpoint_loopbacks(&P, &device, 100)),
    ];
    let most = 65_535;
    let built = client.build(
        "create_device",
        json!({ "life": 0, "args": {
            "code": "nyc1",
            "device_type": { "Edge": {} },
            "public_ip": [9, 0, 0, 1],
            "bootstrap": { "Carve": { "prefix_len": 28 } },
            "endpoints_wanted": null,
            "tunnel_slots": 4096,
            "caps": { "max_users": 96, "max_unicast_users": most, "max_multicast_subscribers": most,
                "max_multicast_publishers": most, "reserved_seats": 0, "reserved_unicast": 0, "reserved_multicast": 0 },
        }}),
        &given,
        &[],
    );
    assert_eq!(built, ix::device::create_device(&P, &key(1), key(2), key(3), 100, args));
}

/// Whatever happens in random histories is read by the IDL and written by it as the same bytes, each verb and each type of
/// account among it; and the accounts that instructions list are as the IDL says, those that it can find where it says.
#[test]
fn all_that_happens_is_read_and_written_by_the_idl() {
    let idl = checked_in();
    let client = Client(&idl);
    let (mut verbs, mut types) = (BTreeSet::new(), BTreeSet::new());
    let limits = PassLimits::default();
    let init = ix::global_config::init_global_config(&P, &key(1), ConfigNumbers::default());
    let pass = ix::access_pass::set_access_pass(&P, &key(1), ip("0.0.0.0"), key(2), limits, Some(key(3)));
    for one in [init, pass] {
        verbs.insert(check_instruction(&client, &one));
    }
    for seed in 0..36 {
        let (bank, done) = played(seed);
        for one in &done {
            verbs.insert(check_instruction(&client, one));
        }
        for record in bank.accounts().values().filter(|record| record.owner == P) {
            let (name, value) = client.account(&record.data);
            assert_eq!(client.account_data(&name, &value), record.data, "{value}");
            types.insert(name);
        }
        if verbs.len() == ALL.len() && types.len() == AccountType::iter().count() {
            return;
        }
    }
    panic!("only {verbs:?} and {types:?}");
}

/// Reads and writes an instruction; its name.
fn check_instruction(client: &Client, one: &Instruction) -> String {
    let (instruction, args) = client.arguments(&one.data);
    assert_eq!(client.data(instruction, &args), one.data, "{args:?}");
    let count = instruction.accounts.len();
    for (item, meta) in instruction.accounts.iter().zip(&one.accounts) {
        let IdlInstructionAccountItem::Single(account) = item else { panic!("accounts are not nested") };
        let absent = account.optional && meta.pubkey == P;
        assert_eq!((meta.is_signer, meta.is_writable), (account.signer, account.writable && !absent), "{item:?}");
        let place = client.place(instruction, account, &args, &P);
        assert!(absent || place.is_none_or(|place| place == meta.pubkey), "{}: {item:?}", instruction.name);
    }
    let spec = ALL.iter().find(|spec| generate::snake(spec.instruction) == instruction.name).unwrap();
    let many = spec.slots.iter().any(|slot| slot.presence == Presence::Many);
    assert!(one.accounts.len() >= count && (many || one.accounts.len() == count), "{}", instruction.name);
    instruction.name.clone()
}
