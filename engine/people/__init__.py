# SPDX-License-Identifier: Apache-2.0
"""Users, contacts, SIP accounts, cabinet logins and the PBX's main settings: the core's own services for hosts and command line."""

from engine.people.addresses import address_problems
from engine.people.branches import (
    Doomed,
    branches_of,
    delete_branch,
    delete_user,
    doomed_with,
    leave_branch,
    move_user,
    set_first_group,
    set_membership,
)
from engine.people.calls import Current, current_calls, visible_calls
from engine.people.contacts import add_contact, delete_contact, edit_contact, edit_own_contact, set_sip_password
from engine.people.erasing import Erased, erasable, erase_number
from engine.people.extensions import extension_warning
from engine.people.mailboxes import mailbox_problems, mailbox_title, remove_file, visible_mail
from engine.people.passwords import check_password, hash_password, random_password, verify_password
from engine.people.pbx import edit_pbx
from engine.people.prefixes import prefix_problems
from engine.people.telegram import bot_name_file, chat_problems, chats_of_others, deep_link, new_telegram_code, own_chats
from engine.people.users import Login, create_user, edit_user, ready_login, set_login, set_own
from engine.people.wishes import ContactWish, LoginWish, OwnContactWish, PbxWish, UserWish

__all__ = [
    "ContactWish",
    "Current",
    "Doomed",
    "Erased",
    "Login",
    "LoginWish",
    "OwnContactWish",
    "PbxWish",
    "UserWish",
    "add_contact",
    "address_problems",
    "bot_name_file",
    "branches_of",
    "chat_problems",
    "chats_of_others",
    "check_password",
    "create_user",
    "current_calls",
    "deep_link",
    "delete_branch",
    "delete_contact",
    "delete_user",
    "doomed_with",
    "edit_contact",
    "edit_own_contact",
    "edit_pbx",
    "edit_user",
    "erasable",
    "erase_number",
    "extension_warning",
    "hash_password",
    "leave_branch",
    "mailbox_problems",
    "mailbox_title",
    "move_user",
    "new_telegram_code",
    "own_chats",
    "prefix_problems",
    "random_password",
    "ready_login",
    "remove_file",
    "set_first_group",
    "set_login",
    "set_membership",
    "set_own",
    "set_sip_password",
    "verify_password",
    "visible_calls",
    "visible_mail",
]
