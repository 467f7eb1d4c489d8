//! The accounts of one instruction: taken in order, each checked before it has a type.
//!
//! Every list starts with the signer (who also pays), the system program and the config. An [`Account<T>`] exists
//! only for an account that belongs to the program and holds a whole, valid `T`.

use std::{
    ops::{Deref, DerefMut},
    slice,
};

use borsh::object_length;
use solana_account_info::AccountInfo;
use solana_pubkey::Pubkey;

use crate::{
    error::{Result, ServiceabilityError, ensure},
    host::Host,
    pda::Place,
    state::{AccountData, DecodeError, GlobalConfig},
};

/// The account is the program's and holds this. Boxed, because a stack frame on the target has 4 KiB.
pub(crate) struct Account<'a, 'info, T> {
    info: &'a AccountInfo<'info>,
    value: Box<T>,
}

impl<'a, T> Account<'a, '_, T> {
    pub(crate) fn key(&self) -> &'a Pubkey {
        self.info.key
    }
}

impl<T> Deref for Account<'_, '_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Account<'_, '_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

/// The accounts that are left, and those every instruction has.
pub(crate) struct Accounts<'a, 'info> {
    host: &'a dyn Host,
    program: &'a Pubkey,
    rest: slice::Iter<'a, AccountInfo<'info>>,
    pub(crate) signer: &'a AccountInfo<'info>,
    config: &'a AccountInfo<'info>,
}

impl<'a, 'info> Accounts<'a, 'info> {
    /// Checks the head of the list, and that no account of the program is given twice: two decoded copies of one
    /// account would each lose what the other one changes.
    pub(crate) fn open(host: &'a dyn Host, program: &'a Pubkey, accounts: &'a [AccountInfo<'info>]) -> Result<Self> {
        let mut rest = accounts.iter();
        let mut next = || rest.next().ok_or(ServiceabilityError::MissingAccount);
        let (signer, system, config) = (next()?, next()?, next()?);
        ensure!(signer.is_signer, MissingSignature);
        ensure!(signer.is_writable, NotWritable);
        ensure!(*system.key == solana_system_interface::program::ID, NotSystemProgram);
        for (index, info) in accounts.iter().enumerate() {
            let again = || accounts[index + 1..].iter().any(|other| other.key == info.key);
            ensure!(info.owner != program || !again(), DuplicateAccount);
        }
        Ok(Self { host, program, rest, signer, config })
    }

    pub(crate) fn program(&self) -> &'a Pubkey {
        self.program
    }

    pub(crate) fn config_info(&self) -> &'a AccountInfo<'info> {
        self.config
    }

    /// How many accounts are left.
    pub(crate) fn left(&self) -> usize {
        self.rest.len()
    }

    /// The next account, as it is.
    pub(crate) fn take(&mut self) -> Result<&'a AccountInfo<'info>> {
        self.rest.next().ok_or(ServiceabilityError::MissingAccount)
    }

    /// The next account, which holds a `T`.
    pub(crate) fn load<T: AccountData>(&mut self) -> Result<Account<'a, 'info, T>> {
        let info = self.take()?;
        self.read(info)
    }

    /// The next account, to which the rent of what this owner loses goes.
    pub(crate) fn rent_recipient(&mut self, owner: &Pubkey) -> Result<&'a AccountInfo<'info>> {
        let info = self.take()?;
        ensure!(info.key == owner, WrongRentRecipient);
        ensure!(info.is_writable, NotWritable);
        Ok(info)
    }

    pub(crate) fn load_config(&self) -> Result<Account<'a, 'info, GlobalConfig>> {
        self.read(self.config).map_err(|error| match error {
            ServiceabilityError::AccountNotFound => ServiceabilityError::ConfigNotFound,
            other => other,
        })
    }

    pub(crate) fn read<T: AccountData>(&self, info: &'a AccountInfo<'info>) -> Result<Account<'a, 'info, T>> {
        ensure!(self.exists(info)?, AccountNotFound);
        let data = info.try_borrow_data().map_err(|_| ServiceabilityError::DuplicateAccount)?;
        let value = T::decode(&data).map_err(|error| {
            self.host.log(&format!("{}: {error}", info.key));
            match error {
                DecodeError::WrongType { .. } => ServiceabilityError::WrongAccountType,
                DecodeError::Empty
                | DecodeError::UnknownType(_)
                | DecodeError::Malformed { .. }
                | DecodeError::TrailingBytes { .. } => ServiceabilityError::MalformedAccount,
            }
        })?;
        Ok(Account { info, value: Box::new(value) })
    }

    /// True when the program has such an account, false when nobody has; a foreign one is refused.
    pub(crate) fn exists(&self, info: &AccountInfo) -> Result<bool> {
        if info.owner == self.program {
            return Ok(true);
        }
        ensure!(*info.owner == solana_system_interface::program::ID && info.data_is_empty(), ForeignAccount);
        Ok(false)
    }

    /// Creates the account that belongs at this place.
    pub(crate) fn create<T: AccountData>(&self, info: &'a AccountInfo<'info>, place: Place, value: T) -> Result {
        let (address, bump) = place.find(self.program);
        ensure!(*info.key == address, WrongAddress);
        ensure!(info.is_writable, NotWritable);
        ensure!(!self.exists(info)?, AlreadyExists);
        let bytes = encoded_length(&value)?;
        let missing = self.missing_rent(info, bytes)?;
        let created = place.with_seeds(|seeds| {
            let mut signed = Vec::with_capacity(seeds.len() + 1);
            signed.extend_from_slice(seeds);
            let bump = [bump];
            signed.push(&bump);
            // Whoever has sent lamports to the address must not stop its creation.
            if info.lamports() == 0 {
                return self.host.create(self.signer, info, missing, bytes, self.program, &signed);
            }
            if missing > 0 {
                self.host.transfer(self.signer, info, missing)?;
            }
            self.host.allocate(info, bytes, self.program, &signed)
        });
        created.map_err(|_| ServiceabilityError::RuntimeRefused)?;
        write(info, &value)
    }

    /// Puts a changed value back, with the rent its new length needs.
    pub(crate) fn save<T: AccountData>(&self, account: &Account<'a, 'info, T>) -> Result {
        let Account { info, value } = account;
        ensure!(info.is_writable, NotWritable);
        let bytes = encoded_length(&**value)?;
        if bytes != info.data_len() {
            let missing = self.missing_rent(info, bytes)?;
            if missing > 0 {
                let paid = self.host.transfer(self.signer, info, missing);
                paid.map_err(|_| ServiceabilityError::RuntimeRefused)?;
            }
            info.resize(bytes).map_err(|_| ServiceabilityError::RuntimeRefused)?;
        }
        write(info, &**value)
    }

    /// Ends an account; its rent goes to `recipient`.
    pub(crate) fn close<T>(&self, account: Account<'a, 'info, T>, recipient: &AccountInfo) -> Result {
        let info = account.info;
        ensure!(info.is_writable, NotWritable);
        info.resize(0).map_err(|_| ServiceabilityError::RuntimeRefused)?;
        let mut from = info.try_borrow_mut_lamports().map_err(|_| ServiceabilityError::DuplicateAccount)?;
        let mut to = recipient.try_borrow_mut_lamports().map_err(|_| ServiceabilityError::DuplicateAccount)?;
        **to = to.checked_add(**from).ok_or(ServiceabilityError::CounterOverflow)?;
        **from = 0;
        info.assign(&solana_system_interface::program::ID);
        Ok(())
    }

    /// No account may be left: one too many is a caller that means something else.
    pub(crate) fn finish(&self) -> Result {
        ensure!(self.rest.len() == 0, TooManyAccounts);
        Ok(())
    }

    /// What the signer must add so that the account may have this many bytes.
    fn missing_rent(&self, info: &AccountInfo, bytes: usize) -> Result<u64> {
        let missing = self.host.minimum_balance(bytes).saturating_sub(info.lamports());
        // Asked here, because a failing call into the system program would end the transaction with its code, not ours.
        ensure!(self.signer.lamports() >= missing, PayerTooPoor);
        Ok(missing)
    }
}

fn encoded_length<T: AccountData>(value: &T) -> Result<usize> {
    object_length(value).map(|body| body + 1).map_err(|_| ServiceabilityError::RuntimeRefused)
}

/// Encodes in place: the target's allocator frees nothing, so a copy of a large pool would not fit.
fn write<T: AccountData>(info: &AccountInfo, value: &T) -> Result {
    let mut data = info.try_borrow_mut_data().map_err(|_| ServiceabilityError::DuplicateAccount)?;
    let (tag, mut body) = data.split_first_mut().ok_or(ServiceabilityError::RuntimeRefused)?;
    *tag = T::TYPE as u8;
    value.serialize(&mut body).map_err(|_| ServiceabilityError::RuntimeRefused)
}

/// The accounts of an instruction of an initialised network.
pub(crate) struct Context<'a, 'info> {
    accounts: Accounts<'a, 'info>,
    pub(crate) config: Account<'a, 'info, GlobalConfig>,
}

impl<'a, 'info> Context<'a, 'info> {
    pub(crate) fn new(accounts: Accounts<'a, 'info>) -> Result<Self> {
        Ok(Self { config: accounts.load_config()?, accounts })
    }

    /// Puts a changed config back.
    pub(crate) fn save_config(&self) -> Result {
        self.save(&self.config)
    }
}

impl<'a, 'info> Deref for Context<'a, 'info> {
    type Target = Accounts<'a, 'info>;

    fn deref(&self) -> &Self::Target {
        &self.accounts
    }
}

impl DerefMut for Context<'_, '_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.accounts
    }
}
